package preflight

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

func sameCluster(a, b kafka.Cluster) bool { return reflect.DeepEqual(a, b) }

// reached is a cluster that answers.
type reached struct {
	namedCluster
	client *kgo.Client
	admin  *kadm.Client
}

// reachedClusters by name; one that is configured as another one stands under both names.
type reachedClusters map[string]*reached

func (cs reachedClusters) close() {
	for _, c := range cs {
		c.client.Close() // twice is no fault
	}
}

// connect tries every address that is configured.
func (r *run) connect(ctx context.Context) reachedClusters {
	found := reachedClusters{}
	for _, c := range r.named() {
		for _, address := range c.cluster.Brokers {
			if r.broker(c, address, "") && found[c.name] == nil {
				if one := r.client(c); one != nil {
					found[c.name] = one
				}
			}
		}
		if ctx.Err() != nil {
			return found
		}
	}
	if found[kafka.StateCluster] == nil && sameCluster(r.Config.State, r.Config.Target) && found[kafka.TargetCluster] != nil {
		found[kafka.StateCluster] = found[kafka.TargetCluster]
	}
	return found
}

func (r *run) client(c namedCluster) *reached {
	opts, err := c.cluster.FranzOptions()
	if err != nil {
		return nil // said by broker
	}
	// The newer version of the request does not tell rights on a group that does not exist yet.
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.DescribeGroups), 5)
	client, err := kgo.NewClient(append(opts, kgo.MaxVersions(versions), kgo.RetryTimeout(10*time.Second), kgo.RequestRetries(3))...)
	if err != nil {
		r.fail("brokers", c.name, err.Error(), "")
		return nil
	}
	return &reached{c, client, kadm.NewClient(client)}
}

// broker logs in to one broker. advertised is its number where the cluster has named the address.
func (r *run) broker(c namedCluster, address, advertised string) bool {
	alone := c.cluster
	alone.Brokers = []string{address}
	of := c.name + " " + address
	if _, err := alone.FranzOptions(); err != nil {
		do := "see what it says; what is configured under " + c.name + " is used for all of its brokers"
		if advertised != "" {
			do = "this is the address that broker " + advertised + " tells its clients (advertised.listeners): it has to be reachable from here"
		}
		r.fail("brokers", of, kafka.Explain(err), do)
		return false
	}
	login := ""
	if s := c.cluster.Security; s.SASL.Username != "" {
		login = fmt.Sprintf(" as %q with %s", s.SASL.Username, s.SASL.Mechanism)
	}
	r.ok("brokers", of, "answers over %s%s", c.cluster.WithDefaults().Security.Protocol, login)
	return true
}

// clusters looks at the brokers that are not in the configuration, and at what the brokers are.
func (r *run) clusters(ctx context.Context, found reachedClusters) {
	for _, c := range r.named() {
		one := found[c.name]
		if one == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, Timeout)
		metadata, err := one.admin.BrokerMetadata(ctx)
		if err != nil {
			cancel()
			r.fail("brokers", c.name, kafka.Explain(err), "")
			continue
		}
		for _, b := range metadata.Brokers {
			if address := fmt.Sprintf("%s:%d", b.Host, b.Port); !slices.Contains(c.cluster.Brokers, address) {
				r.broker(c, address, strconv.Itoa(int(b.NodeID)))
			}
		}
		r.version(ctx, one)
		if n := len(metadata.Brokers); n < int(r.Config.Replication) && c.name != kafka.SourceCluster {
			r.fail("brokers", c.name, fmt.Sprintf("%d brokers, and replication is %d", n, r.Config.Replication), "start the others, or set replication to their number")
		}
		cancel()
	}
	if r.Overlap == nil || len(found) < 3 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	if err := r.Overlap(ctx); err != nil {
		r.fail("topics", "names", err.Error(), "give the slim topics names of their own: slim.prefix")
	}
}

func (r *run) version(ctx context.Context, c *reached) {
	answer, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, c.client)
	if err != nil {
		r.warn("brokers", c.name, "their version is not known: "+kafka.Explain(err), "")
		return
	}
	v := kversion.FromApiVersionsResponse(answer)
	text := v.VersionGuess()
	if c.name == kafka.StateCluster || c.name == kafka.TargetCluster && sameCluster(r.Config.State, r.Config.Target) {
		if metadata, ok := v.LookupMaxKeyVersion(int16(kmsg.Metadata)); ok && metadata < 10 {
			r.fail("brokers", c.name, "Kafka "+text+" gives topics no ids", "keep the state on Kafka 2.8 or newer")
			return
		}
	}
	r.ok("brokers", c.name, "Kafka, by what it answers: %s", text)
}

// rights compares what is needed with what the brokers say the user may do.
func (r *run) rights(ctx context.Context, found reachedClusters) {
	for _, name := range []string{kafka.SourceCluster, kafka.TargetCluster, kafka.StateCluster} {
		c := found[name]
		if c == nil {
			continue
		}
		needed, missing, unknown, err := c.patientRights(ctx, name, r.Rights)
		switch {
		case starting(err):
			r.warn("rights", name, fmt.Sprintf("not known: the cluster has had no coordinator for groups for %s: %s", patience, kafka.Explain(err)),
				"if it has just started, check again; if it stays so, see whether its brokers are enough for offsets.topic.replication.factor")
		case err != nil:
			r.warn("rights", name, "not known: "+kafka.Explain(err), "`vibe-bridge acls` prints what has to be granted")
		case needed == 0 || len(missing) > 0:
		case unknown == needed:
			r.ok("rights", name, "the brokers do not tell, or there is nothing yet to have rights on")
		default:
			r.ok("rights", name, "all %d that could be looked at of %d that are needed", needed-unknown, needed)
		}
		for _, right := range missing {
			r.fail("rights", fmt.Sprintf("%s %s %s", name, right.Resource, right.Name), fmt.Sprintf("the bridge's user has not the right %s (%s)", right.Operation, right.Why),
				"grant it: `vibe-bridge acls` prints the command")
		}
	}
}

// patience is how long a cluster that has just started may take to find its coordinators.
const patience = 15 * time.Second

// patientRights is rights of a cluster that may still be starting.
func (c *reached) patientRights(ctx context.Context, name string, rights []kafka.Right) (needed int, missing []kafka.Right, unknown int, err error) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(patience); ; {
		needed, missing, unknown, err = c.rights(ctx, name, rights)
		if !starting(err) || time.Now().After(until) {
			return needed, missing, unknown, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return needed, missing, unknown, err
		}
	}
}

// starting tells whether groups have no coordinator yet.
func starting(err error) bool {
	return errors.Is(err, kerr.CoordinatorNotAvailable) || errors.Is(err, kerr.CoordinatorLoadInProgress) || errors.Is(err, kerr.NotCoordinator)
}

// rights are how many of them concern the cluster, which of these are missing, and of how many the brokers do not tell.
func (c *reached) rights(ctx context.Context, name string, rights []kafka.Right) (needed int, missing []kafka.Right, unknown int, err error) {
	var here []kafka.Right
	for _, right := range rights {
		if right.Cluster == name {
			here = append(here, right)
		}
	}
	if len(here) == 0 {
		return 0, nil, 0, nil
	}
	granted, err := c.granted(ctx, here)
	if err != nil {
		return len(here), nil, 0, err
	}
	for _, right := range here {
		operations, known := granted[resource{right.Resource, right.Name}]
		switch {
		case !known:
			unknown++
		case !slices.Contains(operations, right.Operation):
			missing = append(missing, right)
		}
	}
	return len(here), missing, unknown, nil
}

// MissingRightsError says which rights the user of an instance has not.
type MissingRightsError struct{ Rights []kafka.Right }

func (e *MissingRightsError) Error() string {
	first := e.Rights[0]
	text := fmt.Sprintf("%s cluster: the bridge's user has not the right %s on %s %s", first.Cluster, first.Operation, first.Resource, first.Name)
	if more := len(e.Rights) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more: `vibe-bridge check` lists them)", more)
	}
	return text + ": `vibe-bridge acls` prints the commands that grant what is needed"
}

// CheckRights is a *MissingRightsError when the brokers say that the user of the clusters lacks any of the rights. Where they do
// not tell, it is taken to have them.
func CheckRights(ctx context.Context, source, target, state kafka.Cluster, rights []kafka.Right) error {
	r := &run{}
	r.Config.Source, r.Config.Target, r.Config.State = source, target, state
	var missing []kafka.Right
	for _, c := range r.named() {
		one := r.client(c)
		if one == nil {
			continue // the checks of topics say why
		}
		names := []string{c.name}
		if c.name == kafka.TargetCluster && sameCluster(target, state) {
			names = append(names, kafka.StateCluster)
		}
		for _, name := range names {
			_, lacking, _, err := one.rights(ctx, name, rights)
			if err != nil {
				break // of an older broker, or one that has just gone: what is missing will show
			}
			missing = append(missing, lacking...)
		}
		one.client.Close()
	}
	if len(missing) > 0 {
		return &MissingRightsError{missing}
	}
	return nil
}

type resource struct {
	kind kafka.ResourceKind
	name string
}

// operationNumbers are those of Kafka's protocol, in the bits of the authorized operations.
var operationNumbers = map[kmsg.ACLOperation]kafka.Operation{
	kmsg.ACLOperationRead: kafka.OpRead, kmsg.ACLOperationWrite: kafka.OpWrite, kmsg.ACLOperationCreate: kafka.OpCreate,
	kmsg.ACLOperationDescribe: kafka.OpDescribe, kmsg.ACLOperationDescribeConfigs: kafka.OpDescribeConfigs,
}

// granted are the operations on each resource of which the brokers tell. A topic that the user may not see at all has none: it cannot be told
// from one that does not exist, and is left to the check of topics.
func (c *reached) granted(ctx context.Context, rights []kafka.Right) (map[resource][]kafka.Operation, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	names := map[kafka.ResourceKind][]string{}
	for _, right := range rights {
		if !slices.Contains(names[right.Resource], right.Name) {
			names[right.Resource] = append(names[right.Resource], right.Name)
		}
	}
	granted := map[resource][]kafka.Operation{}
	add := func(kind kafka.ResourceKind, name string, operations []kmsg.ACLOperation, omitted bool) {
		if omitted {
			return
		}
		key := resource{kind, name}
		granted[key] = []kafka.Operation{}
		for _, o := range operations {
			if op, ok := operationNumbers[o]; ok {
				granted[key] = append(granted[key], op)
			}
		}
	}
	if topics := names[kafka.TopicResource]; len(topics) > 0 {
		request := kmsg.NewPtrMetadataRequest()
		request.IncludeTopicAuthorizedOperations = true
		for _, name := range topics {
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = kmsg.StringPtr(name)
			request.Topics = append(request.Topics, t)
		}
		answer, err := request.RequestWith(ctx, c.client)
		if err != nil {
			return nil, err
		}
		for _, t := range answer.Topics {
			switch {
			case t.Topic == nil:
			case t.ErrorCode == kerr.TopicAuthorizationFailed.Code:
				// None of those that include Describe; of the others nothing is known.
				granted[resource{kafka.TopicResource, *t.Topic}] = []kafka.Operation{kafka.OpCreate, kafka.OpDescribeConfigs}
			case t.ErrorCode == 0:
				add(kafka.TopicResource, *t.Topic, kadm.DecodeACLOperations(t.AuthorizedOperations), t.AuthorizedOperations == omittedOperations)
			}
		}
	}
	for _, name := range names[kafka.GroupResource] {
		request := kmsg.NewPtrDescribeGroupsRequest()
		request.Groups, request.IncludeAuthorizedOperations = []string{name}, true
		answer, err := request.RequestWith(ctx, c.client)
		if err != nil && !errors.Is(err, kerr.GroupAuthorizationFailed) {
			return nil, err
		}
		switch {
		case err != nil, len(answer.Groups) == 1 && answer.Groups[0].ErrorCode == kerr.GroupAuthorizationFailed.Code:
			add(kafka.GroupResource, name, nil, false)
		case len(answer.Groups) == 1 && starting(kerr.ErrorForCode(answer.Groups[0].ErrorCode)):
			return nil, kerr.ErrorForCode(answer.Groups[0].ErrorCode)
		case len(answer.Groups) == 1 && answer.Groups[0].ErrorCode == 0:
			operations := answer.Groups[0].AuthorizedOperations
			add(kafka.GroupResource, name, kadm.DecodeACLOperations(operations), operations == omittedOperations)
		}
	}
	return granted, nil
}

// omittedOperations stands where a broker does not tell.
const omittedOperations = -1 << 31

// Thresholds of clocks.
const (
	skewNotice = 2 * time.Second
	skewLimit  = time.Minute
)

const clockDo = "set the clocks by NTP on both sides: holds, ages and lag are told by this machine's clock, and brokers refuse records from a future too far"

// clocks compares this machine's clock with the brokers'. Kafka has no request for the time; a KRaft controller says, with
// the state of its quorum, when its leader was last in step with itself, which is now.
func (r *run) clocks(ctx context.Context, found reachedClusters) {
	for _, c := range r.named() {
		one := found[c.name]
		if one == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, Timeout)
		if skew, known := r.skew(ctx, one); known {
			r.clock(c.name, "the clock of its controller", skew)
		} else {
			r.future(ctx, one)
		}
		cancel()
	}
}

func (r *run) clock(name, what string, skew time.Duration) {
	size := skew.Abs().Round(10 * time.Millisecond)
	direction := "ahead of"
	if skew < 0 {
		direction = "behind"
	}
	found := fmt.Sprintf("%s is %s %s this machine's", what, size, direction)
	switch {
	case size > skewLimit:
		r.fail("clock", name, found, clockDo)
	case size > skewNotice:
		r.warn("clock", name, found, clockDo)
	default:
		r.ok("clock", name, "%s", found)
	}
}

func (r *run) skew(ctx context.Context, c *reached) (time.Duration, bool) {
	request := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = []kmsg.DescribeQuorumRequestTopicPartition{kmsg.NewDescribeQuorumRequestTopicPartition()}
	request.Topics = append(request.Topics, topic)
	asked := r.Now()
	answer, err := request.RequestWith(ctx, c.client)
	if err != nil || answer.ErrorCode != 0 || len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
		return 0, false
	}
	between := asked.Add(r.Now().Sub(asked) / 2)
	p := answer.Topics[0].Partitions[0]
	for _, voter := range p.CurrentVoters {
		if voter.ReplicaID == p.LeaderID && voter.LastCaughtUpTimestamp > 0 {
			return time.UnixMilli(voter.LastCaughtUpTimestamp).Sub(between), true
		}
	}
	return 0, false
}

// future looks for records that were written later than now, where the brokers do not tell the time.
func (r *run) future(ctx context.Context, c *reached) {
	const unknown = "the brokers tell their time only to who may describe the cluster"
	var topics []string
	for _, s := range r.Specs {
		if s.Cluster == c.name {
			topics = append(topics, s.Name)
		}
	}
	newest, of := int64(-1), ""
	listed, err := c.admin.ListMaxTimestampOffsets(ctx, topics...)
	if err != nil {
		r.ok("clock", c.name, "not known: %s", unknown)
		return
	}
	listed.Each(func(o kadm.ListedOffset) {
		if o.Err == nil && o.Timestamp > newest {
			newest, of = o.Timestamp, o.Topic
		}
	})
	switch ahead := time.UnixMilli(newest).Sub(r.Now()); {
	case newest < 0:
		r.ok("clock", c.name, "not known: %s, and there are no records", unknown)
	case ahead > skewNotice:
		r.clock(c.name, "the time of the newest record of "+of, ahead)
	default:
		r.ok("clock", c.name, "no record is from the future (%s)", strings.TrimPrefix(unknown, "the "))
	}
}
