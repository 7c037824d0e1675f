package main

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// errURL quotes nothing of the URL, which has the password in it.
var errURL = errors.New(`setting "url": not an address of a database: write mysql://user:password@host:3306/database, with special characters of the password percent-encoded; ?tls= takes true, skip-verify, preferred or false, ?socket= the path of a socket in place of a host`)

// sqlMode makes the server refuse what it would cut or change, quote names as the
// SQL standard does, and leave backslashes alone, whatever its own setting is.
const sqlMode = "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"

// parse reads the address of a database.
func parse(text string) (*mysql.Config, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "mysql" && u.Scheme != "mariadb" || u.User == nil || len(u.Path) < 2 || strings.Contains(u.Path[1:], "/") {
		return nil, errURL
	}
	c := mysql.NewConfig()
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.DBName = u.Path[1:]
	c.Net, c.Addr = "tcp", u.Host
	if u.Port() == "" {
		c.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	c.TLSConfig = "preferred"
	for name, values := range u.Query() {
		switch value := values[0]; {
		case name == "tls" && slices.Contains([]string{"true", "false", "skip-verify", "preferred"}, value):
			c.TLSConfig = value
		case name == "socket" && value != "" && u.Host == "":
			c.Net, c.Addr = "unix", value
		default:
			return nil, errURL
		}
	}
	if c.Net == "tcp" && u.Hostname() == "" {
		return nil, errURL
	}
	c.Timeout = 10 * time.Second
	c.Loc = time.UTC
	c.MaxAllowedPacket = 0 // what the server takes
	c.Params = map[string]string{
		"sql_mode": sqlMode, "time_zone": "'+00:00'", "lock_wait_timeout": lockPatience,
	}
	return c, nil
}
