package main

import (
	"bufio"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"diresco/internal/dossier/publicbody/dma"
	"diresco/internal/platform/clock"
)

const (
	listsName = "dma"
	// listTries are how often each file is read; the fastest counts.
	listTries = 5
	// listBody is whose lists they are.
	listBody = "80039510484"
)

// listSpeed is how a list of public employees was checked, beside a bare walk over its tokens.
type listSpeed struct {
	workers       int
	bytes         int64
	checked, bare time.Duration
	// memory is by how much the resident memory of this process grew at most while it was checked.
	memory int64
}

func listTable(all []listSpeed) *table {
	t := &table{}
	t.add("check of a list of public employees (DMA)", "file", "workers/s", "MB/s", "of a bare token walk", "memory above idle")
	for _, s := range all {
		t.add(fmt.Sprintf("%d workers", s.workers), megabytes(s.bytes), thousands(float64(s.workers)/s.checked.Seconds()),
			fmt.Sprintf("%.1f", float64(s.bytes)/1e6/s.checked.Seconds()), fmt.Sprintf("%.2f ×", s.bare.Seconds()/s.checked.Seconds()),
			megabytes(s.memory))
	}
	return t
}

// employees measures the check of lists in this process: a short one, and one ten times as long.
func (b *bench) employees(dir string) error {
	if !b.options.only.MatchString(listsName) {
		return nil
	}
	for _, workers := range []int{1_000, 10_000} {
		speed, err := b.checkList(filepath.Join(dir, "list.xml"), workers)
		if err != nil {
			return err
		}
		b.lists = append(b.lists, speed)
	}
	return nil
}

func (b *bench) checkList(path string, workers int) (speed listSpeed, err error) {
	now := clock.System{}.Now()
	speed.workers = workers
	if speed.bytes, err = writeList(path, workers); err != nil {
		return speed, err
	}
	read := func(read func(file io.Reader) error) (time.Duration, error) {
		file, err := os.Open(path) //nolint:gosec // in a directory of this run
		if err != nil {
			return 0, err
		}
		begun := time.Now()
		err = read(file)
		return time.Since(begun), errors.Join(err, file.Close())
	}
	debug.FreeOSMemory()
	own := process(os.Getpid())
	own.resetPeak()
	idle := own.resident()
	for range listTries {
		taken, err := read(func(file io.Reader) error {
			_, sum, err := dma.ReadXML(file, dma.Rules{BodyTaxCode: listBody, Now: now}, nil)
			if err == nil && sum.Workers != workers {
				err = fmt.Errorf("%d workers were read of %d", sum.Workers, workers)
			}
			return err
		})
		if err != nil {
			return speed, err
		}
		speed.checked = shorter(speed.checked, taken)
	}
	speed.memory = max(0, own.peak()-idle)
	for range listTries {
		taken, err := read(func(file io.Reader) error {
			decoder := xml.NewDecoder(bufio.NewReader(file))
			for {
				if _, err := decoder.Token(); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
			}
		})
		if err != nil {
			return speed, err
		}
		speed.bare = shorter(speed.bare, taken)
	}
	return speed, nil
}

func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b < a {
		return b
	}
	return a
}

// writeList writes a list of so many workers and returns its length.
func writeList(path string, workers int) (size int64, err error) {
	list := dma.List{Header: dma.Header{
		Period: "2025-10", Sender: dma.Sender{PersonTaxCode: "RSSMRA80A01H501U", LegalName: "Comune di Castel Mugello", TaxCode: listBody},
		BodyTaxCode: listBody, BodyName: "Comune di Castel Mugello", BodyNumber: "00000", SignatoryTaxCode: "RSSMRA80A01H501U",
		ActivityCode: "84111", LegalForm: "2430",
	}}
	amount := dma.Euros
	for n := range workers {
		code, err := registered(n)
		if err != nil {
			return 0, err
		}
		list.Workers = append(list.Workers, dma.Worker{
			TaxCode: code, FamilyName: "Gialli", GivenName: "Maria",
			Workplace: dma.Workplace{MunicipalityCode: "C123", PostalCode: "50032"},
			Periods: []dma.Period{{
				StartDay: "2025-10-01", EndDay: "2025-10-31",
				Framing: &dma.Framing{
					EmploymentType: "1", ServiceType: "4", Contract: "RALN", Qualification: "042000",
					SeveranceScheme: "3",
				},
				Funds: &dma.Funds{
					Pension:   &dma.Pension{Code: "2", Taxable: amount(185_000), Contribution: amount(44_030), Additional: amount(185)},
					Severance: &dma.Severance{Code: "6", TFSTaxable: amount(148_000), TFSContribution: amount(9_028)},
					Credit:    &dma.Fund{Code: "9", Taxable: amount(185_000), Contribution: amount(648)},
				},
				Payers: []dma.Payer{{
					ContributionType: "1", TaxCode: listBody, BodyNumber: "00000", Taxable: amount(185_000), Contribution: amount(44_030),
				}},
			}},
		})
	}
	file, err := os.Create(path) //nolint:gosec // in a directory of this run
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := list.WriteXML(file); err != nil {
		return 0, err
	}
	return file.Seek(0, io.SeekCurrent)
}
