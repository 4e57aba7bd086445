package main

func deleteCommand() *command {
	return &command{
		name:  "delete",
		usage: "remove a container that has stopped",
		args:  "ID",
		flags: []option{
			toggle("force", "kill it first; no error if it does not exist", "f"),
			regexFlag(),
		},
		action: func(c *call) error {
			id, err := oneArgument(c)
			if err != nil {
				return err
			}
			return each(c, id, func(id string) error { return runtime(c).Delete(id, c.on("force")) })
		},
	}
}
