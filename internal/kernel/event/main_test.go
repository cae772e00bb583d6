package event_test

import (
	"testing"

	"diresco/internal/test/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }
