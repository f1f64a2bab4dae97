package h2

import "golang.org/x/net/http2/hpack"

// Huffman's code of RFC 7541 Appendix B is read four bits at a time. A state is a place within
// a code; state 0 is between two.

// A huffmanStep is what four bits lead to, from a state.
type huffmanStep struct {
	next   uint16
	symbol byte
	emits  bool // the symbol is whole
	broken bool // no code begins so
}

// A huffmanState is where the bits so far have led.
type huffmanState struct {
	steps [16]huffmanStep
	pads  bool // bits that end here may be padding (RFC 7541 section 5.2)
}

var huffmanStates = newHuffmanTree().states()

// decodeHuffman appends what p stands for. false = p is not the code of any text.
func decodeHuffman(out, p []byte) ([]byte, bool) {
	state := &huffmanStates[0]
	for _, b := range p {
		for _, four := range [2]byte{b >> 4, b & 15} {
			step := &state.steps[four]
			if step.broken {
				return out, false
			}
			if step.emits {
				out = append(out, step.symbol)
			}
			state = &huffmanStates[step.next]
		}
	}
	return out, state.pads
}

// A huffmanTree has the nodes of the code. A node's children are nodes; 0 = there is none, and
// below -1, the symbol is -1 - child.
type huffmanTree [][2]int

// newHuffmanTree reads the code from what x/net's encoder writes.
func newHuffmanTree() huffmanTree {
	tree := huffmanTree{{}}
	for symbol := range 256 {
		text := string([]byte{byte(symbol)})
		eight := text + text + text + text + text + text + text + text
		bits, code := int(hpack.HuffmanEncodeLength(eight)), hpack.AppendHuffmanString(nil, text)
		node := 0
		for i := range bits {
			bit := code[i/8] >> (7 - i%8) & 1
			switch {
			case i == bits-1:
				tree[node][bit] = -1 - symbol
			case tree[node][bit] == 0:
				tree = append(tree, [2]int{})
				tree[node][bit] = len(tree) - 1
			}
			node = max(0, tree[node][bit])
		}
	}
	return tree
}

func (tree huffmanTree) states() []huffmanState {
	states := make([]huffmanState, len(tree))
	for node := range tree {
		for four := range 16 {
			states[node].steps[four] = tree.step(node, byte(four))
		}
	}
	for node, bits := 0, 0; bits < 8; bits++ { // padding is fewer than eight ones
		states[node].pads = true
		node = tree[node][1]
	}
	return states
}

// step follows four bits.
func (tree huffmanTree) step(node int, four byte) (step huffmanStep) {
	for i := range 4 {
		child := tree[node][four>>(3-i)&1]
		switch {
		case child > 0:
			node = child
		case child < 0:
			step.symbol, step.emits, node = byte(-1-child), true, 0
		default:
			return huffmanStep{broken: true}
		}
	}
	step.next = uint16(node)
	return step
}
