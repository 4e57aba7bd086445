package nsenter

// stageELF is the stage for this architecture, which make builds from stage/ and
// embeds by a generated file. Plain `go build` without it ends with the error that
// the identifier below spells.
func stageELF() []byte { return brig_is_not_complete__run_make_build_to_compile_its_stage }
