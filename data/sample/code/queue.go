// Package admission bounds the work a search server accepts.
//
// A queue limited only by the number of requests can still hold hours of work, because one request
// may carry a hundred long texts. This one counts requests and tokens, and turns away what does not
// fit with an estimate of when to come back.
package admission

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// Overloaded is returned when the queue is full. RetryAfter belongs in the HTTP header of that name.
type Overloaded struct {
	RetryAfter time.Duration
}

func (e Overloaded) Error() string {
	return fmt.Sprintf("too much work waiting, come back in %.0f seconds", e.RetryAfter.Seconds())
}

// Gate admits requests while both limits hold. The zero value admits nothing.
type Gate struct {
	MaxRequests     int
	MaxTokens       int
	TokensPerSecond float64 // measured while warming up

	mu       sync.Mutex
	requests int
	tokens   int
}

// Enter reserves room for a request. The returned function gives the room back and must be called
// exactly once, also when the client has gone away.
func (g *Gate) Enter(tokens int) (leave func(), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.requests+1 > g.MaxRequests || g.tokens+tokens > g.MaxTokens {
		wait := math.Ceil(float64(g.tokens) / math.Max(g.TokensPerSecond, 1))
		return nil, Overloaded{RetryAfter: time.Duration(math.Max(wait, 1)) * time.Second}
	}
	g.requests++
	g.tokens += tokens
	var once sync.Once
	return func() {
		once.Do(func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.requests--
			g.tokens -= tokens
		})
	}, nil
}
