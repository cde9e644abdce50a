//go:build !race

package vault

const raced = false
