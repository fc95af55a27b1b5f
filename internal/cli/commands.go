package cli

import "github.com/spf13/cobra"

// Version is set by the linker.
var Version = "dev"

// commands are all commands, in the order of the help.
func commands(s *settings) []*cobra.Command {
	return []*cobra.Command{
		newInitCommand(s),
		newCheckCommand(s),
		newSchemaCommand(s),
		newDataCommand(s),
		newClimbCommand(s),
		newEvalCommand(s),
		newGateCommand(s),
		newAttackCommand(s),
		newForgettingCommand(s),
		newReportCommand(s),
		newCompareCommand(s),
		newRunsCommand(s),
		newShowCommand(s),
		newDiffCommand(s),
		newLabelCommand(s),
		newRateCommand(s),
		newModesCommand(s),
		newRobustCommand(s),
		newJudgeCommand(s),
		newMetricsCommand(s),
		newReleaseCommand(s),
		newReleasesCommand(s),
		newReviewCommand(s),
		newBOMCommand(s),
		newAliasCommand(s),
		newRolloutCommand(s),
		newServeCommand(s),
		newKeysCommand(s),
		newTracesCommand(s),
		newFeedbackCommand(s),
		newPushCommand(s),
		newPullCommand(s),
		newExportCommand(s),
		newGuardCommand(s),
		newDoctorCommand(s),
		newSetupCommand(s),
	}
}
