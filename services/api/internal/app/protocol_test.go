package app_test

import "testing"

// The wire contract (spec/protocol.md and the wiki's own text), as a stranger reads
// it: the tables are in the other protocol_*_test.go files, each case has a channel
// of its own, and all of them run on one service of each kind.
func TestProtocol(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, a, b *replica) {
		for _, table := range []struct {
			name string
			run  func(t *testing.T, a, b *replica)
		}{
			{"routing", testRouting},
			{"channel names", testChannelNames},
			{"methods", testMethods},
			{"content types", testContentTypes},
			{"gzip", testGzip},
			{"oversized by default", testDefaultLimits},
			{"many properties", testManyProperties},
			{"JSON messages", testJSONMessages},
			{"JSON text", testJSONText},
			{"JSON refused", testJSONRefused},
			{"JSON truncated", testJSONTruncated},
			{"XML messages", testXMLMessages},
			{"XML refused", testXMLRefused},
			{"XML truncated", testXMLTruncated},
			{"XML open questions", testXMLUndecided},
			{"external entities", testExternalEntities},
			{"charsets", testCharsets},
			{"order", testOrder},
			{"concurrent pushes", testConcurrentPushes},
			{"push answers", testPushAnswers},
			{"duplicates", testDuplicates},
			{"sent again at once", testConcurrentDuplicates},
			{"pull parameters", testPullParameters},
			{"accept", testAccept},
			{"pull answers", testPullAnswers},
			{"max", testMax},
			{"etag forms", testETagForms},
			{"foreign etags", testForeignETags},
			{"altered etags", testAlteredETags},
			{"confirming", testConfirming},
			{"long polling", testLongPolling},
			{"superseding", testSuperseding},
			{"poll gone", testPollGone},
		} {
			t.Run(table.name, func(t *testing.T) { table.run(t, a, b) })
		}
	})
}
