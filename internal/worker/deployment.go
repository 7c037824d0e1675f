package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Version is the version of the workflow code that an instance runs, as a
// version of a worker deployment in Temporal. Only the queue of the workflows
// has versions: those of the destinations are for any instance, because what
// an attempt needs is in the ledger, and a paused queue, which nobody polls,
// would hold up a change of version.
type Version struct {
	Deployment string // the same for all instances
	BuildID    string // empty: this instance has no version
}

// options make the worker one of its version. Workflows move to the current
// version with their next task: they may wait for a destination for days, and
// must not need an instance of the version that started them.
func (v Version) options() worker.DeploymentOptions {
	if v.BuildID == "" {
		return worker.DeploymentOptions{}
	}
	return worker.DeploymentOptions{
		UseVersioning:             true,
		Version:                   worker.WorkerDeploymentVersion{DeploymentName: v.Deployment, BuildID: v.BuildID},
		DefaultVersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
	}
}

const (
	lookFirst = 500 * time.Millisecond // a new version is known once it has polled
	lookEvery = 10 * time.Second
	// A worker polls at least once a minute. One of a version that has not for
	// this time is gone; one that stops says so at once.
	polledWithin = 150 * time.Second
)

// KeepCurrent sees to it that workflows are given to the newest version of which
// an instance runs, until ctx ends. Every instance does, and all decide the same.
func (w *Workers) KeepCurrent(ctx context.Context) {
	if w.o.Version.Deployment == "" {
		return
	}
	look := lookEvery
	if w.o.Version.BuildID != "" {
		look = lookFirst
	}
	logged := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
		}
		current, err := w.makeCurrent(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			if text := err.Error(); text != logged {
				w.o.Logger.Warn("worker versioning", "err", err)
				logged = text
			}
		case current:
			look = lookEvery
		default:
			look = min(2*look, lookEvery)
		}
	}
}

// makeCurrent reports whether this instance's version is the current one, and
// makes it so if it has to be.
func (w *Workers) makeCurrent(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	v := w.o.Version
	s, err := standingOf(ctx, w.o.Client, w.o.TaskQueue, v.Deployment)
	if err != nil || !s.takeOver(v.BuildID, time.Now()) {
		return s.current == v.BuildID, err
	}
	_, err = w.o.Client.WorkerDeploymentClient().GetHandle(v.Deployment).SetCurrentVersion(ctx, client.WorkerDeploymentSetCurrentVersionOptions{
		BuildID: v.BuildID, ConflictToken: s.token,
	})
	if err != nil {
		return false, fmt.Errorf("make version %q of deployment %s the current one: %w", v.BuildID, v.Deployment, err)
	}
	w.o.Logger.Info("workflows are given to this version now", "deployment", v.Deployment, "version", v.BuildID, "before", s.current)
	return true, nil
}

// standing is what Temporal knows of a deployment.
type standing struct {
	current string               // build id; empty: workers without a version
	created map[string]time.Time // by build id
	polled  map[string]time.Time // by build id, the last time
	token   []byte               // to change only what was seen
}

// takeOver reports whether the build must become the current one: it is newer,
// or nobody of the current one is left.
func (s standing) takeOver(build string, now time.Time) bool {
	if build == s.current {
		return false
	}
	if build != "" {
		created, known := s.created[build]
		if !known {
			return false
		}
		if s.current == "" || created.After(s.created[s.current]) {
			return true
		}
	}
	return now.Sub(s.polled[s.current]) > polledWithin
}

func standingOf(ctx context.Context, c client.Client, taskQueue, deployment string) (standing, error) {
	s := standing{created: make(map[string]time.Time), polled: make(map[string]time.Time)}
	got, err := c.WorkerDeploymentClient().GetHandle(deployment).Describe(ctx, client.WorkerDeploymentDescribeOptions{})
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return s, nil // no worker of any version has polled yet
	}
	if err != nil {
		return s, fmt.Errorf("look at worker deployment %s: %w", deployment, err)
	}
	s.token = got.ConflictToken
	if v := got.Info.RoutingConfig.CurrentVersion; v != nil {
		s.current = v.BuildID
	}
	for _, v := range got.Info.VersionSummaries {
		s.created[v.Version.BuildID] = v.CreateTime
	}
	queue, err := c.DescribeTaskQueue(ctx, taskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return s, fmt.Errorf("look at task queue %s: %w", taskQueue, err)
	}
	for _, p := range queue.GetPollers() {
		o := p.GetDeploymentOptions()
		build := ""
		if o.GetWorkerVersioningMode() == enumspb.WORKER_VERSIONING_MODE_VERSIONED {
			if o.GetDeploymentName() != deployment {
				continue
			}
			build = o.GetBuildId()
		}
		if at := p.GetLastAccessTime().AsTime(); at.After(s.polled[build]) {
			s.polled[build] = at
		}
	}
	return s, nil
}
