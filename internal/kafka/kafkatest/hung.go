package kafkatest

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// hungFor is for how long a coordinator waits for a member that hangs: longer than any test.
const hungFor = 5 * time.Minute

// HungMember makes a new group with one member, which is silent from then on, as a process that hangs: it says nothing
// to a heartbeat or to a rebalance, and everybody who joins waits for it. It is in the group until the test is over or
// leave is called. protocol is one of those that the other members name.
func HungMember(t testing.TB, addrs []string, group, protocol string) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cl := client(t, addrs)
	defer cl.Close()

	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = group, "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = int32(hungFor.Milliseconds()), int32(hungFor.Milliseconds())
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = protocol, new(kmsg.ConsumerMemberMetadata).AppendTo(nil)
	join.Protocols = append(join.Protocols, p)
	joined, err := join.RequestWith(ctx, cl)
	if err == nil && joined.ErrorCode == kerr.MemberIDRequired.Code {
		join.MemberID = joined.MemberID
		joined, err = join.RequestWith(ctx, cl)
	}
	if err == nil {
		err = kerr.ErrorForCode(joined.ErrorCode)
	}
	if err != nil {
		t.Fatalf("join group %s: %v", group, err)
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.Generation, sync.MemberID = group, joined.Generation, joined.MemberID
	sync.ProtocolType, sync.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr(protocol)
	synced, err := sync.RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(synced.ErrorCode)
	}
	if err != nil {
		t.Fatalf("sync group %s: %v", group, err)
	}
	left := false
	leave = func() {
		if !left {
			left = true
			leaveGroup(t, addrs, group, joined.MemberID)
		}
	}
	t.Cleanup(leave)
	return leave
}

func leaveGroup(t testing.TB, addrs []string, group, member string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cl := client(t, addrs)
	defer cl.Close()
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = group
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = member
	leave.Members = append(leave.Members, m)
	if _, err := leave.RequestWith(ctx, cl); err != nil {
		t.Errorf("leave group %s: %v", group, err)
	}
}

// DescribeGroup returns a consumer group's state, as its coordinator names it, and members.
func DescribeGroup(t testing.TB, addrs []string, group string) kadm.DescribedGroup {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	cl := client(t, addrs)
	defer cl.Close()
	groups, err := kadm.NewClient(cl).DescribeGroups(ctx, group)
	if err != nil {
		t.Fatalf("describe group %s: %v", group, err)
	}
	return groups[group]
}

// AwaitJoin waits until somebody joins a group and is not let in.
func AwaitJoin(t testing.TB, addrs []string, group string) {
	t.Helper()
	Eventually(t, "a member that joins group "+group, func() bool {
		return DescribeGroup(t, addrs, group).State == "PreparingRebalance"
	})
}
