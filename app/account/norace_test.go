//go:build !race

package account

const raced = false
