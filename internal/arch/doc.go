// Package arch holds the rules of this code base that a compiler does not know,
// as tests: which package may import which, that everything is documented, that
// the modules stand on their own, and that no text names a machine.
package arch
