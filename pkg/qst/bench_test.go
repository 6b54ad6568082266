package qst

import (
	"fmt"
	"testing"
)

// benchBatch returns 100 messages as gateways send them.
func benchBatch(b *testing.B) []Message {
	texts := realTexts(b)
	msgs := make([]Message, 100)
	for i := range msgs {
		msgs[i] = Message{
			ID:   fmt.Sprintf("24c287ba-9007-4280-99aa-66e0baa6%04d", i),
			From: fmt.Sprintf("sms://4477814%05d", i),
			To:   "qst://application",
			When: "2026-01-02T03:04:05Z",
			Body: texts[i%len(texts)],
			Properties: []Property{
				str("carrier", "Example Telecom"),
				num("parts", "1"),
			},
		}
	}
	return msgs
}

// perMessage reports the time for one message of a batch of n.
func perMessage(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/message")
}

func BenchmarkDecode(b *testing.B) {
	for _, f := range []Format{JSON, XML} {
		b.Run(f.String(), func(b *testing.B) {
			msgs := benchBatch(b)
			body := Append(nil, f, msgs)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(f, "", body, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
			perMessage(b, len(msgs))
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, f := range []Format{JSON, XML} {
		b.Run(f.String(), func(b *testing.B) {
			msgs := benchBatch(b)
			buf := Append(nil, f, msgs)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				buf = Append(buf[:0], f, msgs)
			}
			perMessage(b, len(msgs))
		})
	}
}

// BenchmarkBatch is all that the codec does for a batch from push to pull.
func BenchmarkBatch(b *testing.B) {
	for _, f := range []Format{JSON, XML} {
		b.Run(f.String(), func(b *testing.B) {
			body := Append(nil, f, benchBatch(b))
			var arena, answer []byte
			forms := make([]string, 0, 100)
			b.ReportAllocs()
			for b.Loop() {
				msgs, err := Decode(f, "", body, Limits{})
				if err != nil {
					b.Fatal(err)
				}
				arena, forms = arena[:0], forms[:0]
				ends := make([]int, 0, 100)
				for i := range msgs {
					msgs[i].Digest()
					arena = msgs[i].AppendCanonical(arena)
					ends = append(ends, len(arena))
				}
				all, start := string(arena), 0
				for _, end := range ends {
					forms = append(forms, all[start:end])
					start = end
				}
				if answer, err = AppendFromCanonical(answer[:0], f, forms); err != nil {
					b.Fatal(err)
				}
			}
			perMessage(b, 100)
		})
	}
}

func BenchmarkDecodeCanonical(b *testing.B) {
	msgs := benchBatch(b)
	body := msgs[0].AppendCanonical(nil)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeCanonical(body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendCanonical(b *testing.B) {
	msgs := benchBatch(b)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = buf[:0]
		for i := range msgs {
			buf = msgs[i].AppendCanonical(buf)
		}
	}
	perMessage(b, len(msgs))
}

func BenchmarkAppendFromCanonical(b *testing.B) {
	for _, f := range []Format{JSON, XML} {
		b.Run(f.String(), func(b *testing.B) {
			forms := canonicalForms(benchBatch(b))
			buf, _ := AppendFromCanonical(nil, f, forms)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = AppendFromCanonical(buf[:0], f, forms)
			}
			perMessage(b, len(forms))
		})
	}
}

func BenchmarkCanonicalID(b *testing.B) {
	c := canonicalForms(benchBatch(b))[0]
	b.ReportAllocs()
	for b.Loop() {
		CanonicalID(c)
	}
}

func BenchmarkDigest(b *testing.B) {
	m := &benchBatch(b)[0]
	b.ReportAllocs()
	for b.Loop() {
		m.Digest()
	}
}

func BenchmarkParseETag(b *testing.B) {
	s := testETag.String()
	b.ReportAllocs()
	for b.Loop() {
		ParseETag(s)
	}
}
