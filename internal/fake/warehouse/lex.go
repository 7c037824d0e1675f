package warehouse

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	end    tokenKind = iota
	word             // keyword or unquoted name
	quoted           // quoted name
	text             // string literal
	number
	param // ? or @name
	symbol
)

type token struct {
	kind tokenKind
	text string
	at   int
}

// lex cuts SQL into tokens. quote is the character around names.
func lex(sql string, quote byte) ([]token, error) {
	var out []token
	for i := 0; i < len(sql); {
		c := sql[i]
		r, size := utf8.DecodeRuneInString(sql[i:])
		start := i
		switch {
		case unicode.IsSpace(r):
			i += size
			continue
		case strings.HasPrefix(sql[i:], "--"):
			for i < len(sql) && sql[i] != '\n' {
				i++
			}
			continue
		case c == quote || c == '\'':
			value, n, err := unquote(sql[i:], c)
			if err != nil {
				return nil, err
			}
			kind := quoted
			if c == '\'' {
				kind = text
			}
			out = append(out, token{kind, value, start})
			i += n
		case unicode.IsLetter(r) || r == '_':
			for i < len(sql) {
				r, size := utf8.DecodeRuneInString(sql[i:])
				if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' {
					break
				}
				i += size
			}
			out = append(out, token{word, sql[start:i], start})
		case c >= '0' && c <= '9':
			for i < len(sql) && sql[i] >= '0' && sql[i] <= '9' {
				i++
			}
			out = append(out, token{number, sql[start:i], start})
		case c == '@':
			i++
			for i < len(sql) && (sql[i] == '_' || sql[i] == '@' || sql[i] >= '0' && sql[i] <= '9' || sql[i] >= 'a' && sql[i] <= 'z') {
				i++
			}
			out = append(out, token{param, sql[start+1 : i], start})
		case c == '?':
			i++
			out = append(out, token{param, "", start})
		default:
			n := 1
			for _, long := range []string{"<=", ">=", "<>", "=>", "::"} {
				if strings.HasPrefix(sql[i:], long) {
					n = 2
				}
			}
			i += n
			out = append(out, token{symbol, sql[start:i], start})
		}
	}
	return append(out, token{end, "", len(sql)}), nil
}

// unquote reads what is between quotes, which are doubled within.
func unquote(s string, quote byte) (string, int, error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != quote {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == quote {
			b.WriteByte(quote)
			i++
			continue
		}
		return b.String(), i + 1, nil
	}
	return "", 0, fmt.Errorf("%w: a quote is not closed", ErrSyntax)
}
