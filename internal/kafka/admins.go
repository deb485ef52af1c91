package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/IBM/sarama"
)

// Admins holds the admin client of each cluster by its name in TopicSpec.Cluster. One Admin may stand under
// several names.
type Admins map[string]*Admin

// Plan plans for all clusters; topics keep the order of specs.
func (as Admins) Plan(specs []TopicSpec) (Plan, error) {
	found := map[string]map[string]TopicInfo{}
	for cluster, a := range as {
		var names []string
		for _, s := range specs {
			if s.Cluster == cluster {
				names = append(names, s.Name)
			}
		}
		infos, err := a.Describe(names)
		if err != nil {
			return Plan{}, fmt.Errorf("%s cluster: %w", cluster, err)
		}
		found[cluster] = infos
	}
	var p Plan
	for _, s := range specs {
		infos, ok := found[s.Cluster]
		if !ok {
			return Plan{}, fmt.Errorf("topic %s: no cluster named %q", s.Name, s.Cluster)
		}
		p.Topics = append(p.Topics, planTopic(s, infos[s.Name]))
	}
	return p, nil
}

// Create creates the missing topics of a plan, all or none as far as can be known beforehand: it refuses a
// plan with a mismatch, then has every cluster check every creation, and only then creates. It returns the names it
// created, also with an error: Kafka has no transaction over topics, so a failure in between leaves those. Nothing is
// ever removed, and a second call goes on where the first ended.
func (as Admins) Create(ctx context.Context, p Plan) (created []string, err error) {
	if err := p.Mismatch(); err != nil {
		return nil, err
	}
	missing := p.Missing()
	existing, err := as.validate(missing)
	if err != nil {
		return nil, fmt.Errorf("nothing was created: %w", err)
	}
	if err := as.confirm(ctx, existing); err != nil {
		return nil, fmt.Errorf("nothing was created: %w", err)
	}
	for _, s := range missing {
		if err := ctx.Err(); err != nil {
			return created, createdSoFar(err, created)
		}
		err := as[s.Cluster].create(s)
		if errors.Is(err, sarama.ErrTopicAlreadyExists) {
			continue // see validate
		}
		if err != nil {
			return created, createdSoFar(err, created)
		}
		created = append(created, s.Name)
	}
	if err := as.confirm(ctx, missing); err != nil {
		return created, createdSoFar(err, created)
	}
	return created, nil
}

// validate has the clusters check all creations without doing them, and joins what they refuse. It returns the topics
// that have come to exist since the plan was made, by another instance that starts at the same time.
func (as Admins) validate(missing []TopicSpec) (existing []TopicSpec, err error) {
	var errs []error
	for _, s := range missing {
		a, ok := as[s.Cluster]
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("create topic %s: no cluster named %q", s.Name, s.Cluster))
		case s.Partitions < 1 || s.Replication < 1:
			errs = append(errs, fmt.Errorf("create topic %s: %d partitions with %d replicas: want at least 1 of each", s.Name, s.Partitions, s.Replication))
		default:
			err := a.validate(s)
			if errors.Is(err, sarama.ErrTopicAlreadyExists) {
				existing = append(existing, s)
				continue
			}
			if err != nil {
				errs = append(errs, err)
			}
		}
	}
	return existing, errors.Join(errs...)
}

// confirm waits until the topics can be used, and compares them once more: another instance, with another
// configuration, may have been the one that created them.
func (as Admins) confirm(ctx context.Context, specs []TopicSpec) error {
	if len(specs) == 0 {
		return nil
	}
	byAdmin := map[*Admin][]TopicSpec{}
	for _, s := range specs {
		byAdmin[as[s.Cluster]] = append(byAdmin[as[s.Cluster]], s)
	}
	for a, specs := range byAdmin {
		if err := a.awaitVisible(ctx, specs); err != nil {
			return err
		}
		p, err := a.Plan(specs)
		if err != nil {
			return err
		}
		if err := p.Mismatch(); err != nil {
			return err
		}
	}
	return nil
}

func createdSoFar(err error, created []string) error {
	if len(created) == 0 {
		return err
	}
	return fmt.Errorf("%w: created before, and left in place: %s: run the same again once the cause is gone", err, strings.Join(created, ", "))
}
