package main

func startCommand() *command {
	return &command{
		name:  "start",
		usage: "let the init of a created container execute the payload",
		args:  "ID",
		action: func(c *call) error {
			id, err := oneArgument(c)
			if err != nil {
				return err
			}
			return runtime(c).Start(id)
		},
	}
}
