//go:build !slim

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	"github.com/temporalio/ui-server/v2/server/auth"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/cors"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/headers"
	"github.com/temporalio/ui-server/v2/server/route"
	"github.com/temporalio/ui-server/v2/ui"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

// webUI serves Temporal's web UI. It is put together from the parts of the UI
// server because that one's own Start ends the process when it cannot listen,
// takes no listener, and leaves its connection to Temporal open.
type webUI struct {
	server *http.Server
	conn   *grpc.ClientConn
	url    string
	done   chan struct{} // closed when Serve has returned
	err    error         // of Serve; read it after done
}

// newUI builds the UI for a frontend. It serves when start is called.
func newUI(frontend, namespace string, logger *slog.Logger) (*webUI, error) {
	conf, err := uiconfig.NewConfigProviderWithRefresh(&uiconfig.Config{
		TemporalGRPCAddress: frontend,
		EnableUI:            true,
		DefaultNamespace:    namespace,
		Distribution:        "sluice",
		HideLogs:            true,
		// Nothing here calls out.
		DisableNewsFetch:   true,
		NotifyOnNewVersion: false,
		// The UI speaks plain HTTP; a cookie that needs HTTPS would never return.
		CORS: uiconfig.CORS{CookieInsecure: true},
	})
	if err != nil {
		return nil, fmt.Errorf("temporal ui: %w", err)
	}
	assets, err := ui.Assets()
	if err != nil {
		return nil, fmt.Errorf("temporal ui: assets: %w", err)
	}
	local, err := fs.Sub(assets, "local")
	if err != nil {
		return nil, fmt.Errorf("temporal ui: assets: %w", err)
	}
	conn, err := api.CreateGRPCConnection(conf)
	if err != nil {
		return nil, fmt.Errorf("temporal ui: connect to %s: %w", frontend, err)
	}
	u := &webUI{conn: conn, done: make(chan struct{})}

	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	forwarded := []string{auth.AuthorizationExtrasHeader, "Caller-Type"}
	e.Use(
		middleware.RecoverWithConfig(middleware.RecoverConfig{DisablePrintStack: true}),
		middleware.Gzip(),
		cors.CORSMiddleware(cors.CORSConfig{
			AllowHeaders: append([]string{
				echo.HeaderOrigin, echo.HeaderContentType, echo.HeaderAccept,
				echo.HeaderXCSRFToken, echo.HeaderAuthorization,
			}, forwarded...),
			AllowCredentials: true,
			ConfigProvider:   conf,
		}),
		middleware.Secure(),
		csrf.EnsureTokenCookie(false),
		middleware.CSRFWithConfig(csrf.MiddlewareConfig(conf, false)),
	)
	e.Pre(route.PublicPath(""))
	route.SetHealthRoute(e)
	u.routeAPI(e, conf, []api.Middleware{headers.WithForwardHeaders(forwarded)})
	route.SetAuthRoutes(e, conf)
	if err := route.SetUIRoutes(e, "", local, conf); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("temporal ui: %w", err)
	}
	route.SetRenderRoute(e, "/")

	u.server = &http.Server{
		Handler:           e,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	return u, nil
}

func (u *webUI) routeAPI(e *echo.Echo, conf *uiconfig.ConfigProviderWithRefresh, mw []api.Middleware) {
	g := e.Group("/api/v1")
	g.GET("/settings", api.GetSettings(conf))
	g.GET("/releases", api.GetLatestReleases(conf, api.NewReleaseChecker()))
	g.GET("/ui-extensions", api.GetUIExtensions(conf, api.TemporalAccessCheck(u.conn, mw)))
	g.GET(api.WorkflowRawHistoryUrl, api.WorkflowRawHistoryHandler(workflowservice.NewWorkflowServiceClient(u.conn)))
	g.Match(
		[]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		"/*", api.TemporalAPIHandler(conf, mw, u.conn),
	)
}

// start serves on the listener until stop.
func (u *webUI) start(l net.Listener) {
	u.url = "http://" + dialableAddr(l)
	go func() {
		defer close(u.done)
		if err := u.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			u.err = err
		}
	}()
}

// ready says whether the UI still serves.
func (u *webUI) ready() error {
	select {
	case <-u.done:
		return fmt.Errorf("temporal ui: stopped: %w", u.err)
	default:
		return nil
	}
}

// stop ends the UI. Requests get until ctx ends.
func (u *webUI) stop(ctx context.Context) error {
	err := u.server.Shutdown(ctx)
	if err != nil {
		err = u.server.Close()
	}
	<-u.done
	return errors.Join(err, u.conn.Close())
}

func dialableAddr(l net.Listener) string {
	tcp, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return l.Addr().String()
	}
	return endpoint{ip: tcp.IP, port: tcp.Port}.dialable()
}
