package kafka

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// GroupState is who is in a consumer group. Only a stable one says what its members have and say; in the midst of a
// rebalance there are ids alone.
type GroupState struct {
	Stable  bool
	Members []GroupMember
}

// GroupMember is one instance in a group. Data is what it says of itself (sarama's Consumer.Group.Member.UserData):
// whoever may join the group may say anything.
type GroupMember struct {
	ID       string
	Data     []byte
	Assigned map[string][]int32 // partitions by topic
}

// GroupStates describes consumer groups, which takes the right to read them.
func (a *Admin) GroupStates(groups ...string) (map[string]GroupState, error) {
	described, err := a.admin.DescribeConsumerGroups(groups)
	if err != nil {
		return nil, fmt.Errorf("describe consumer groups: %w", err)
	}
	states := map[string]GroupState{}
	for _, d := range described {
		if !errors.Is(d.Err, sarama.ErrNoError) {
			_ = a.client.RefreshCoordinator(d.GroupId) // for the next time: it may have moved
			return nil, fmt.Errorf("describe consumer group %s: %w", d.GroupId, d.Err)
		}
		state := GroupState{Stable: d.State == "Stable" || d.State == "Empty"}
		for _, m := range d.Members {
			state.Members = append(state.Members, groupMember(m))
		}
		states[d.GroupId] = state
	}
	return states, nil
}

// groupMember reads what a member says. What cannot be read is left out: it is of another client.
func groupMember(m *sarama.GroupMemberDescription) GroupMember {
	member := GroupMember{ID: m.MemberId}
	if said, err := m.GetMemberMetadata(); err == nil && said != nil {
		member.Data = said.UserData
	}
	if has, err := m.GetMemberAssignment(); err == nil && has != nil {
		member.Assigned = has.Topics
	}
	return member
}
