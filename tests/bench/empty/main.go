// Command empty does nothing: what a static Go program costs before it does
// anything, to compare `brig --version` with.
package main

func main() {}
