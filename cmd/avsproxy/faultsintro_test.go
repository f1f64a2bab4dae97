package main

// faultsIntroduction is how docs/faults.md begins.
const faultsIntroduction = `# What clients see when Amazon misbehaves

Each row is one fault of the [sandbox](sandbox.md), struck once at a running proxy, with what a client of the proxy saw
and when it got its next good answer. A test strikes them all, over HTTP/1.1 and HTTP/2, and compares what it sees with
this page; it also writes the page:

` + "```sh" + `
go test ./cmd/avsproxy -run Faults -update
` + "```" + `

- A number is the status of the answer. One with a code behind it was made by the proxy, see [errors.md](errors.md); all
  others are the upstream's own.
- *the connection is cut* and *RST_STREAM* are what a broken answer looks like under HTTP/1.1 and HTTP/2. It never
  ends as if it were whole.
- *the next request* means that a request sent at once gets its good answer at once. Other waits are named.
- ` + "`tls-wrong-name` and `tls-expired`" + ` strike until they are cleared; all others strike once.
- A stalled connection is found by a ping. The route has ` + "`ping_interval = \"1s\"` and `dial_timeout = \"2s\"`" + ` here, and an
  answer to the ping is waited for as long as half of the latter; with the usual ` + "`ping_interval = \"4m\"`" + ` and requests under
  way it takes as much longer.
- The GET is answered with 1,000 bytes. The *Recognize* is an upload whose length is not known before.
- A token that is refused again within ten seconds of a renewal is not renewed once more: the refusal passes.
- Where a GET sees 200 although the fault struck, it was sent again: nothing that the upstream may have acted upon is.
`
