package gateway

// Unsent counts the texts that the gateway has and that it has not given to the network, as far
// as it said so.
func (b *Bridge) Unsent() int { return b.journal.count(handed) }

// count counts the texts of a status of which the gateway will say more.
func (j *journal) count(s Status) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.entries {
		if e.Status == s && !e.Done {
			n++
		}
	}
	return n
}
