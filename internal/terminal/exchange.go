package terminal

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"avsproxy/internal/capture"
	"avsproxy/internal/charset"
	"avsproxy/internal/exchange"
)

// decisions are what the inspector calls them, too.
var decisions = map[exchange.Decision]string{
	exchange.Injected: "token added", exchange.NoCredential: "no credential", exchange.Kept: "client's own",
	exchange.LoginMissing: "login needed", exchange.RefreshFailed: "renewal failed", exchange.Refused: "refused",
	exchange.StoodIn: "stood in", exchange.Shared: "shared", exchange.Tunnelled: "tunnelled",
}

// DecisionText is a decision in words.
func DecisionText(d exchange.Decision) string {
	if text, ok := decisions[d]; ok {
		return text
	}
	return string(d)
}

// AppendExchange appends an exchange in one line, as serve, tail and replay print it: number, status,
// method and target, then, two spaces apart, route, decision, how long it took, the size of the
// answer, the client's protocol, and what went wrong. What is unknown is left out. colors are for a terminal.
func AppendExchange(line []byte, s *capture.Summary, colors bool) []byte {
	line = AppendNumber(line, s.ID)
	line = appendStatus(line, s, colors)
	line = append(line, ' ')
	line = appendRequest(line, s)
	line = appendColumn(line, charset.PrintableN(s.Route, 64))
	line = appendColumn(line, charset.PrintableN(DecisionText(s.Decision), 64))
	switch {
	case s.State == capture.StateActive:
		line = appendColumn(line, "open")
	case s.State == capture.StateDone:
		line = appendColumn(line, Wait(time.Duration(s.TookMS*float64(time.Millisecond))))
		line = appendColumn(line, Size(s.ResponseBytes))
	}
	line = appendColumn(line, charset.PrintableN(s.Proto, 16))
	return appendRemarks(line, s, colors)
}

// AppendNumber appends the number of an exchange and a space; nothing for 0, which is none.
func AppendNumber(line []byte, id uint64) []byte {
	if id == 0 {
		return line
	}
	return append(strconv.AppendUint(append(line, '#'), id, 10), ' ')
}

func appendColumn(line []byte, text string) []byte {
	if text == "" {
		return line
	}
	return append(append(line, "  "...), text...)
}

// appendRequest is the request in short, with its host where no route implies it.
func appendRequest(line []byte, s *capture.Summary) []byte {
	line = append(append(line, charset.PrintableN(s.Method, 16)...), ' ')
	switch {
	case s.Method == http.MethodConnect:
		line = append(line, charset.PrintableN(s.Host, 256)...)
	case s.Route == "" && strings.HasPrefix(s.Target, "/"):
		line = append(append(append(line, s.Scheme...), "://"...), charset.PrintableN(s.Host, 256)...)
		fallthrough
	default:
		line = append(line, charset.PrintableN(s.Target, 256)...)
	}
	if s.AVS != "" {
		line = append(append(append(line, " ("...), charset.PrintableN(s.AVS, 128)...), ')')
	}
	return line
}

// appendRemarks says what is out of the ordinary, and why.
func appendRemarks(line []byte, s *capture.Summary, colors bool) []byte {
	if s.Own != "" {
		line = appendColumn(line, "avsproxy's own: "+charset.PrintableN(s.Own, 32))
	}
	if s.ReplayOf != 0 {
		line = strconv.AppendUint(append(line, "  replay of #"...), s.ReplayOf, 10)
	}
	if s.Replayed {
		line = appendColumn(line, "sent twice: the token was refused and renewed")
	}
	for _, wrong := range []string{charset.PrintableN(s.Error, 64), charset.PrintableN(s.Ended, 256)} {
		if wrong != "" && colors {
			wrong = paint(wrong, red)
		}
		line = appendColumn(line, wrong)
	}
	return line
}

func appendStatus(line []byte, s *capture.Summary, colors bool) []byte {
	begin := len(line)
	if s.Status == 0 {
		line = append(line, "---"...) // there was no answer
	} else {
		line = strconv.AppendInt(line, int64(s.Status), 10)
	}
	if !colors {
		return line
	}
	color := red
	if class := s.Status / 100; class >= 1 && class < len(statusColors) && s.Ended == "" {
		color = statusColors[class]
	}
	return append(line[:begin], paint(string(line[begin:]), color)...)
}

// Colors of a terminal.
const (
	red    = 31
	green  = 32
	yellow = 33
	cyan   = 36
)

// statusColors are those of the classes of statuses; all others are red.
var statusColors = [...]int{1: green, 2: green, 3: cyan, 4: yellow}

func paint(text string, color int) string {
	return "\x1b[" + strconv.Itoa(color) + "m" + text + "\x1b[0m"
}
