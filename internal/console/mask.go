package console

import (
	"net/http"

	"github.com/ticketscloud/vibe-bridge/internal/logging"
	"github.com/ticketscloud/vibe-bridge/internal/personal"
)

// mask puts the shape in the place of personal values, unless the viewer has the right to see them: that is logged.
// It is the one place that does so, and every answer with fields passes it.
func (s *Server) mask(r *http.Request, v Viewer, what string, lists ...[]Field) {
	may, shown := v.May(Personal), false
	for _, fields := range lists {
		for i := range fields {
			switch f := &fields[i]; {
			case !f.Personal || f.Masked: // another instance has done it
			case may:
				shown = true
			default:
				f.Value, f.Masked = personal.Shape(f.Value), true
			}
		}
	}
	if shown {
		s.log.InfoContext(logging.Always(r.Context()), "console: personal data shown", "who", v.Name, "from", r.RemoteAddr, "of", what)
	}
}

// mostLogged bounds what of a viewer's words gets into a line of the log.
const mostLogged = 80

func short(text string) string {
	if runes := []rune(text); len(runes) > mostLogged {
		return string(runes[:mostLogged]) + "…"
	}
	return text
}
