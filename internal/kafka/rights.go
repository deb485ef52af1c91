package kafka

import (
	"cmp"
	"slices"
)

// Right is an operation on a resource that a client has to be allowed, as Kafka's ACLs name it. Names are literal.
type Right struct {
	Cluster   string       `json:"cluster"` // SourceCluster, StateCluster or TargetCluster
	Resource  ResourceKind `json:"resource"`
	Name      string       `json:"name"`
	Operation Operation    `json:"operation"`
	Why       string       `json:"why"` // half a line for people
}

// ResourceKind is what a Right is about.
type ResourceKind string

// Resources that the bridge needs rights on. There is none on the cluster.
const (
	TopicResource ResourceKind = "topic"
	GroupResource ResourceKind = "group"
)

// Operation is named as kafka-acls takes it.
type Operation string

// Operations that the bridge needs. Read and Write include Describe.
const (
	OpRead            Operation = "Read"
	OpWrite           Operation = "Write"
	OpCreate          Operation = "Create"
	OpDescribe        Operation = "Describe"
	OpDescribeConfigs Operation = "DescribeConfigs"
)

// SortRights puts rights in order and drops those that stand twice, or that another one includes.
func SortRights(rights []Right) []Right {
	type resource struct {
		cluster string
		kind    ResourceKind
		name    string
	}
	described := map[resource]bool{}
	for _, r := range rights {
		if r.Operation == OpRead || r.Operation == OpWrite {
			described[resource{r.Cluster, r.Resource, r.Name}] = true
		}
	}
	out := slices.DeleteFunc(slices.Clone(rights), func(r Right) bool {
		return r.Operation == OpDescribe && described[resource{r.Cluster, r.Resource, r.Name}]
	})
	slices.SortStableFunc(out, func(a, b Right) int {
		return cmp.Or(cmp.Compare(clusterOrder(a.Cluster), clusterOrder(b.Cluster)), -cmp.Compare(a.Resource, b.Resource),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Operation, b.Operation))
	})
	return slices.CompactFunc(out, func(a, b Right) bool {
		return a.Cluster == b.Cluster && a.Resource == b.Resource && a.Name == b.Name && a.Operation == b.Operation
	})
}

func clusterOrder(name string) int {
	return slices.Index([]string{SourceCluster, TargetCluster, StateCluster}, name)
}
