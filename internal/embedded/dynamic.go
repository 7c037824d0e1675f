//go:build !slim

package embedded

import (
	"time"

	dc "go.temporal.io/server/common/dynamicconfig"
)

// dynamicConfig fits Temporal to one process on one machine. Its defaults are
// for a host of a cluster that many tenants share.
func dynamicConfig(overrides map[string]any) dc.StaticClient {
	const (
		// Above what SQLite can do, so that limits never throttle our own work.
		plenty = 100_000
		// Goroutines of each task queue processor. One writer is behind them
		// all; more of them only wait.
		workers = 32
		// Times a second that a queue looks for new tasks. Temporal's default is 20,
		// which made a workflow with one activity wait five times as long.
		polls = 500
	)
	c := dc.StaticClient{
		// A worker in this process gets its first workflow task with the answer
		// to the start.
		dc.EnableEagerWorkflowStart.Key():            true,
		dc.MatchingNumTaskqueueReadPartitions.Key():  1,
		dc.MatchingNumTaskqueueWritePartitions.Key(): 1,
		dc.TransferProcessorMaxPollRPS.Key():         polls,
		dc.TimerProcessorMaxPollRPS.Key():            polls,
		// A client that waits for the end of a workflow may miss the one message
		// about it when messages come fast; it asks again after this time.
		dc.HistoryLongPollExpirationInterval.Key(): 2 * time.Second,

		dc.TransferProcessorSchedulerWorkerCount.Key():               workers,
		dc.TimerProcessorSchedulerWorkerCount.Key():                  workers,
		dc.VisibilityProcessorSchedulerWorkerCount.Key():             workers / 4,
		dc.MemoryTimerProcessorSchedulerWorkerCount.Key():            workers / 4,
		dc.ArchivalProcessorSchedulerWorkerCount.Key():               1,
		dc.ReplicationProcessorSchedulerWorkerCount.Key():            1,
		dc.ReplicationLowPriorityProcessorSchedulerWorkerCount.Key(): 1,

		dc.FrontendRPS.Key():                                         plenty,
		dc.FrontendMaxNamespaceRPSPerInstance.Key():                  plenty,
		dc.FrontendMaxNamespaceVisibilityRPSPerInstance.Key():        200,
		dc.FrontendMaxNamespaceVisibilityBurstRatioPerInstance.Key(): 2.0,
		dc.HistoryRPS.Key():                                          plenty,
		dc.MatchingRPS.Key():                                         plenty,
		dc.FrontendPersistenceMaxQPS.Key():                           plenty,
		dc.HistoryPersistenceMaxQPS.Key():                            plenty,
		dc.MatchingPersistenceMaxQPS.Key():                           plenty,
		dc.WorkerPersistenceMaxQPS.Key():                             plenty,

		// Caches: workflows here are short and few are open at a time.
		dc.HistoryCacheHostLevelMaxSize.Key():     4096,
		dc.EventsHostLevelCacheMaxSizeBytes.Key(): 16 << 20,

		// Scanners look after clusters that have lived for years. The worker
		// service itself stays: batch actions and schedules of the UI need it.
		dc.TaskQueueScannerEnabled.Key():                             false,
		dc.HistoryScannerEnabled.Key():                               false,
		dc.ExecutionsScannerEnabled.Key():                            false,
		dc.BuildIdScavengerEnabled.Key():                             false,
		dc.EnableParentClosePolicyWorker.Key():                       false,
		dc.RetentionTimerJitterDuration.Key():                        time.Minute,
		dc.FrontendShutdownFailHealthCheckDuration.Key():             time.Duration(0),
		dc.FrontendMaxConcurrentLongRunningRequestsPerInstance.Key(): plenty,
	}
	for key, value := range overrides {
		c[dc.MakeKey(key)] = value
	}
	return c
}
