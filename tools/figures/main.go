// Command figures draws the curves that make bench-growth has measured, as SVG beside their data.
//
//	figures DIRECTORY
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// dataFile is what the load generator keeps, and what is drawn.
const dataFile = "growth.json"

// curve is how throughput and waiting grow with something, as the load generator keeps it.
type curve struct {
	Name   string  `json:"name"`
	Along  string  `json:"along"`
	Points []point `json:"points"`
}

// point is what one work reached: a rate a second, and the p99 in milliseconds.
type point struct {
	Work string  `json:"work"`
	At   float64 `json:"at"`
	Rate float64 `json:"rate"`
	P99  float64 `json:"p99"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: figures DIRECTORY")
		os.Exit(2)
	}
	if err := drawAll(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

// drawAll draws each curve of the directory's data into a file of its own.
func drawAll(dir string) error {
	content, err := os.ReadFile(filepath.Join(dir, dataFile)) //nolint:gosec // the directory that the caller asked for
	if err != nil {
		return err
	}
	var curves []curve
	if err := json.Unmarshal(content, &curves); err != nil {
		return fmt.Errorf("%s: %w", dataFile, err)
	}
	for _, c := range curves {
		if err := c.check(); err != nil {
			return err
		}
		path := filepath.Join(dir, "growth-"+c.Name+".svg")
		if err := drawFile(path, c); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		fmt.Println(path)
	}
	return nil
}

// check refuses what cannot be drawn on a logarithmic scale.
func (c curve) check() error {
	if c.Name == "" || filepath.Base(c.Name) != c.Name {
		return fmt.Errorf("%q is no name of a curve", c.Name)
	}
	if len(c.Points) == 0 {
		return fmt.Errorf("%s has no points", c.Name)
	}
	for _, p := range c.Points {
		if p.At <= 0 || p.Rate <= 0 || p.P99 <= 0 {
			return fmt.Errorf("%s, %s at %v: %w", c.Name, p.Work, p.At, errNotPositive)
		}
	}
	return nil
}

var errNotPositive = errors.New("everything that was measured is above zero")

func drawFile(path string, c curve) (err error) {
	file, err := os.Create(path) //nolint:gosec // in the directory that the caller asked for
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return draw(file, c)
}
