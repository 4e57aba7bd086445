package main

func pauseCommand() *command {
	return &command{
		name:  "pause",
		usage: "stop all processes of a container until resume",
		args:  "ID",
		action: func(c *call) error {
			id, err := oneArgument(c)
			if err != nil {
				return err
			}
			return runtime(c).Pause(id)
		},
	}
}

func resumeCommand() *command {
	return &command{
		name:  "resume",
		usage: "let the processes of a paused container go on",
		args:  "ID",
		action: func(c *call) error {
			id, err := oneArgument(c)
			if err != nil {
				return err
			}
			return runtime(c).Resume(id)
		},
	}
}
