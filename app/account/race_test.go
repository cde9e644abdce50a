//go:build race

package account

const raced = true
