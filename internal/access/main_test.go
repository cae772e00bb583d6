package access_test

import (
	"testing"

	"diresco/internal/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }
