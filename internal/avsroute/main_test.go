package avsroute

import (
	"io"
	"net/http"
	"sync"
	"testing"

	"avsproxy/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A newsList collects what a downchannel tells.
type newsList struct {
	mu   sync.Mutex
	list []DownchannelEvent
}

func (n *newsList) tell(news DownchannelEvent, _ error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, news)
}

func (n *newsList) count(news DownchannelEvent) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	count := 0
	for _, one := range n.list {
		if one == news {
			count++
		}
	}
	return count
}

func channelAnswer(body io.ReadCloser) *http.Response {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"multipart/related; boundary=B; type=application/json"}}, Body: body}
}
