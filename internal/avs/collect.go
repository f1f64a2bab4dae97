package avs

// A CollectedPart is a part with its content.
type CollectedPart struct {
	PartHead
	Body     []byte // nil if it is too large
	Complete bool   // a delimiter follows the part
	TooLarge bool   // the content is larger than the limit
}

// CollectParts returns a handler that calls each with every part when it ends. limit
// says how many bytes of a part's content are collected at most; a part with a
// negative limit is skipped.
func CollectParts(limit func(PartHead) int, each func(CollectedPart)) PartHandler {
	var part CollectedPart
	most := -1
	return PartHandler{
		Begin: func(head PartHead) { part, most = CollectedPart{PartHead: head}, limit(head) },
		Data: func(p []byte) {
			if most >= 0 {
				part.add(p, most)
			}
		},
		End: func(complete bool) {
			if part.Complete = complete; most >= 0 {
				each(part)
			}
			part = CollectedPart{}
		},
	}
}

func (p *CollectedPart) add(content []byte, limit int) {
	if p.TooLarge = p.TooLarge || len(content) > limit-len(p.Body); p.TooLarge {
		p.Body = nil
		return
	}
	p.Body = append(p.Body, content...)
}
