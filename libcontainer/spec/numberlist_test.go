package spec

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestCPUMask(t *testing.T) {
	for list, want := range map[string][]uint64{
		"0":           {1},
		"0-3,7":       {0x8f},
		"63":          {1 << 63},
		"64":          {0, 1},
		"62-65,0":     {1 | 3<<62, 3},
		"5-5":         {1 << 5},
		" 1 , 2 ,,3,": {0xe},
		"007":         {1 << 7},
	} {
		if got, err := CPUMask(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %#x, %v", list, got, err)
		}
	}
	for _, list := range []string{
		"", ",", " ", "x", "-1", "1-", "-", "+1", "1-+2", "1--2", "1-2-3", "2-1", "8192", "0-8192", "1:2", "0x1", "1.5", "1 2", "1 - 2", "\t1",
		"99999999999999999999",
	} {
		if got, err := CPUMask(list); err == nil {
			t.Errorf("%q is %#x", list, got)
		}
	}
	if mask, err := CPUMask("8191"); err != nil || len(mask) != 128 {
		t.Errorf("the last CPU is in word %d, %v", len(mask), err)
	}
	if _, err := NodeMask("1024"); err == nil {
		t.Error("a node beyond the last is taken")
	}
}

// A mask has a bit for each number that the list names, and the list of its bits
// is the same mask.
func FuzzCPUMask(f *testing.F) {
	for _, s := range []string{"0-3,7", "8191", " 1,", "3-1", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		mask, err := CPUMask(list)
		if err != nil {
			return
		}
		var numbers []string
		for i, w := range mask {
			for ; w != 0; w &= w - 1 {
				numbers = append(numbers, strconv.Itoa(64*i+bits.TrailingZeros64(w)))
			}
		}
		if again, err := CPUMask(strings.Join(numbers, ",")); err != nil || !slices.Equal(again, mask) {
			t.Errorf("%q is %#x, and %#x, %v", list, mask, again, err)
		}
	})
}
