package access

// Reset has the gate forget all that it knows of channels: Redis holds other ones now.
func (g *Gate) Reset() {
	g.known.Purge()
	g.unknown.Purge()
}
