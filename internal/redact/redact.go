// Package redact finds secrets in texts, header fields and bodies and replaces them. It
// knows which names of fields, parameters and JSON members hold secrets, and looks for
// the values that are secret now in all the encodings that tools use.
package redact

// Mask replaces a secret.
const Mask = "***"

// MinLength is the length of the shortest secret that is searched for. A shorter one
// would be found everywhere.
const MinLength = 4
