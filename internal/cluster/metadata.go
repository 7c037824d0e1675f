package cluster

import (
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/server/common/cluster"
)

const clusterName = "active"

func clusterMetadata(frontend string) *cluster.Config {
	return &cluster.Config{
		FailoverVersionIncrement: 10,
		MasterClusterName:        clusterName,
		CurrentClusterName:       clusterName,
		ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {
			Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend,
		}},
	}
}

func taskQueue(name string) *taskqueuepb.TaskQueue { return &taskqueuepb.TaskQueue{Name: name} }
