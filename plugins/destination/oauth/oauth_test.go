package oauth_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/sluicehq/sluice/plugins/destination"
	"github.com/sluicehq/sluice/plugins/destination/oauth"
)

// server gives out tokens and takes the newest one only.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	given   int
	refresh string
	status  int // of the token endpoint; 0: good
	bodies  []string
}

func newServer(t *testing.T) *server {
	s := &server{refresh: "refresh-0"}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if got := r.FormValue("refresh_token"); s.status != 0 || got != "" && got != s.refresh {
			w.WriteHeader(max(s.status, http.StatusBadRequest))
			fmt.Fprintf(w, `{"error":"invalid_grant","error_description":"no such token: %s %s"}`, got, r.FormValue("client_secret"))
			return
		}
		s.given++
		answer := map[string]any{"access_token": fmt.Sprint("access-", s.given), "token_type": "bearer"}
		if r.FormValue("refresh_token") != "" {
			s.refresh = fmt.Sprint("refresh-", s.given)
			answer["refresh_token"] = s.refresh
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
	mux.HandleFunc("/api", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.Header.Get("Authorization") != fmt.Sprint("Bearer access-", s.given) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.bodies = append(s.bodies, string(body))
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *server) config() oauth2.Config {
	return oauth2.Config{ClientID: "app", ClientSecret: "app-secret", Endpoint: oauth2.Endpoint{TokenURL: s.URL + "/token", AuthStyle: oauth2.AuthStyleInParams}}
}

func (s *server) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.given++
}

// A refused token is replaced once for all calls, with the refresh token that
// came with it.
func TestRefresh(t *testing.T) {
	s := newServer(t)
	client := &http.Client{Transport: &oauth.Transport{Tokens: oauth.New(oauth.RefreshToken(s.config(), "refresh-0", s.Client()))}}
	post := func(body string) int {
		resp, err := client.Post(s.URL+"/api", "text/plain", strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return 0
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	for i := range 3 {
		if got := post(fmt.Sprint("body ", i)); got != http.StatusOK {
			t.Fatalf("call %d: %d", i, got)
		}
		s.expire()
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := post("together"); got != http.StatusOK {
				t.Errorf("status %d", got)
			}
		})
	}
	wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.given != 3+4 { // each end of a token counts as well
		t.Errorf("%d tokens, want 4", s.given-3)
	}
	if got := strings.Join(s.bodies[:3], ", "); got != "body 0, body 1, body 2" {
		t.Errorf("the repeated requests had the bodies %s", got)
	}
}

func TestClientCredentials(t *testing.T) {
	s := newServer(t)
	tokens := oauth.New(oauth.ClientCredentials(clientcredentials.Config{
		ClientID: "app", ClientSecret: "app-secret", TokenURL: s.URL + "/token", AuthStyle: oauth2.AuthStyleInParams,
	}, s.Client()))
	first, err := tokens.Get(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := tokens.Get(t.Context(), nil); err != nil || again != first {
		t.Errorf("again: %v, %v", again, err)
	}
	if next, err := tokens.Get(t.Context(), first); err != nil || next == first || next.AccessToken == first.AccessToken {
		t.Errorf("after a refusal: %v, %v", next, err)
	}
}

func TestExplain(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		kind   destination.ResultKind
		code   string
	}{
		"refused":   {0, destination.Misconfigured, "invalid_grant"},
		"throttled": {429, destination.Throttled, "invalid_grant"},
		"down":      {503, destination.Retry, "invalid_grant"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.status = tt.status
			_, err := oauth.New(oauth.RefreshToken(s.config(), "revoked-secret", s.Client())).Get(t.Context(), nil)
			f := oauth.Explain(t.Context(), err, time.Now())
			if f.Kind != tt.kind || f.Code != tt.code || f.Kind == destination.Throttled && f.Until.IsZero() {
				t.Errorf("%v %s %v", f.Kind, f.Code, f)
			}
			if text := f.Error(); strings.Contains(text, "revoked-secret") || strings.Contains(text, "app-secret") {
				t.Errorf("the error quotes a secret: %s", text)
			}
		})
	}
	s := newServer(t)
	s.Close()
	_, err := oauth.New(oauth.RefreshToken(s.config(), "x", nil)).Get(t.Context(), nil)
	if f := oauth.Explain(t.Context(), err, time.Now()); f.Kind != destination.Retry || f.Code != "refused" {
		t.Errorf("no answer: %v %s %v", f.Kind, f.Code, f)
	}
}
