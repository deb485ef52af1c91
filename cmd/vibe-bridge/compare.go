package main

import "github.com/spf13/cobra"

func newCompareCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compare",
		Short: "Hold old outputs against new ones, and say whether it is safe to switch",
		Long: `compare holds the slim topics against the legacy ones, or against other slim topics
(compare.against), and says what differs, where, how often, and whether it is safe to
switch: GO or NO-GO by the thresholds of cutover. Its rules are a table of its own; it
only reads.`,
		RunE: wantCommand(a),
	}
	cmd.AddCommand(newCompareOnceCommand(a), newCompareRunCommand(a), newCompareShowCommand(a), newCompareDifferencesCommand(a), newCompareReportCommand(a),
		newCompareDemoCommand(a))
	return cmd
}
