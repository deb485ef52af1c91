package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// groupState is what is known of a consumer group.
type groupState struct {
	name, state string
	members     int
	working     int // members with partitions
}

// groups are the consumer groups of a deployment.
func (b *bench) groups(ctx context.Context, p *place) (all []groupState, err error) {
	listed, err := b.admin.ListGroups(ctx)
	if err != nil {
		return nil, err
	}
	var own []string
	for name := range listed {
		if name == p.name || strings.HasPrefix(name, p.name+"-") {
			own = append(own, name)
		}
	}
	if len(own) == 0 {
		return nil, nil
	}
	described, err := b.admin.DescribeGroups(ctx, own...)
	for _, g := range described.Sorted() {
		err = errors.Join(err, g.Err)
		state := groupState{name: g.Group, state: g.State, members: len(g.Members)}
		for _, m := range g.Members {
			if assigned, ok := m.Assigned.AsConsumer(); ok && len(assigned.Topics) > 0 {
				state.working++
			}
		}
		all = append(all, state)
	}
	return all, err
}

// unshared says what is wrong with groups of which each is to have so many members with partitions; "" for nothing.
func unshared(groups []groupState, members int) string {
	if len(groups) == 0 {
		return "there are no groups"
	}
	for _, g := range groups {
		if g.state != "Stable" || g.working != members {
			return fmt.Sprintf("group %s is %s, %d members have partitions and not %d", g.name, g.state, g.working, members)
		}
	}
	return ""
}

// manned tells whether a group still has members.
func manned(groups []groupState) bool {
	return slices.ContainsFunc(groups, func(g groupState) bool { return g.members > 0 })
}
