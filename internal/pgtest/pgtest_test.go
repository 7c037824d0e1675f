package pgtest_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sluicehq/sluice/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestURLIsAFreshDatabase(t *testing.T) {
	for range 2 {
		c, err := pgx.Connect(t.Context(), pgtest.URL(t))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(t.Context())
		if _, err := c.Exec(t.Context(), "CREATE TABLE t (a numeric)"); err != nil {
			t.Error(err)
		}
	}
}

// The parent of this test kills it while its server runs.
func TestToBeKilled(t *testing.T) {
	if os.Getenv("PGTEST_TO_BE_KILLED") == "" {
		return
	}
	c, err := pgx.Connect(t.Context(), pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	var dir string
	if err := c.QueryRow(t.Context(), "SHOW data_directory").Scan(&dir); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(dir + "/postmaster.pid")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(b), "\n")
	fmt.Println("server " + first + " " + filepath.Dir(dir))
	select {}
}

func TestServerDiesWithTheTestProcess(t *testing.T) {
	c := exec.Command(os.Args[0], "-test.run=^TestToBeKilled$")
	c.Env = append(os.Environ(), "PGTEST_TO_BE_KILLED=1")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	server, dir := 0, ""
	for lines := bufio.NewScanner(out); server == 0 && lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "server "); ok {
			pid, folder, _ := strings.Cut(text, " ")
			if server, err = strconv.Atoi(pid); err != nil {
				t.Fatal(err)
			}
			dir = folder
		}
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	defer os.RemoveAll(dir)
	if server == 0 {
		t.Fatal("the child started no server")
	}
	for deadline := time.Now().Add(10 * time.Second); !errors.Is(syscall.Kill(server, 0), syscall.ESRCH); {
		if time.Now().After(deadline) {
			t.Fatal("the server outlives the test process")
		}
		time.Sleep(20 * time.Millisecond)
	}
}
