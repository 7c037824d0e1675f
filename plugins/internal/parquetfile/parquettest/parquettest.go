// Package parquettest reads Parquet files as text, for tests of what writes them.
// It is for tests only.
package parquettest

import (
	"bytes"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

// Rows gives the cells of a file by column, without null. Timestamps are RFC
// 3339, decimals their digits with an exponent.
func Rows(t testing.TB, file []byte) []map[string]string {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	fields := f.Schema().Fields()
	var rows []map[string]string
	for _, group := range f.RowGroups() {
		in := group.Rows()
		buffer := make([]parquet.Row, 1)
		for {
			n, err := in.ReadRows(buffer)
			if n == 1 {
				row := map[string]string{}
				for _, v := range buffer[0] {
					if field := fields[v.Column()]; !v.IsNull() {
						row[field.Name()] = cell(field, v)
					}
				}
				rows = append(rows, row)
			}
			if err != nil {
				break
			}
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// Types gives the type of each column, as Parquet writes it.
func Types(t testing.TB, file []byte) map[string]string {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, field := range f.Schema().Fields() {
		types[field.Name()] = field.Type().String()
	}
	return types
}

func cell(field parquet.Field, v parquet.Value) string {
	var precision, scale int
	switch kind := field.Type().String(); {
	case strings.HasPrefix(kind, "TIMESTAMP"):
		return time.UnixMicro(v.Int64()).UTC().Format(time.RFC3339Nano)
	case strings.HasPrefix(kind, "DECIMAL"):
		if _, err := fmt.Sscanf(kind, "DECIMAL(%d,%d)", &precision, &scale); err != nil {
			panic(kind)
		}
		if v.Kind() == parquet.Int64 {
			return fmt.Sprintf("%de-%d", v.Int64(), scale)
		}
		n := new(big.Int).SetBytes(v.ByteArray())
		if v.ByteArray()[0]&0x80 != 0 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), 128))
		}
		return fmt.Sprintf("%se-%d", n, scale)
	default:
		return v.String()
	}
}
