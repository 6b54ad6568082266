package conformance

import (
	"maps"
	"slices"
	"testing"
)

// Whatever a server answers, a case does not fall over it; and what is read is written
// again as it was, in either format.
func FuzzBatch(f *testing.F) {
	for _, form := range forms {
		f.Add("[" + form.message + "]")
	}
	f.Add(oneXML)
	f.Add(`<messages><message id="1" from="a&#10;"><subject/><property name="p" value="&#13;"/></message></messages>`)
	f.Add(`[{"id":1}]`)
	f.Fuzz(func(t *testing.T, s string) {
		_, _ = parseXML(s) // or an error
		l, err := parseJSON(s)
		if err != nil {
			return
		}
		inXML := make([]message, len(l))
		for i := range l {
			inXML[i] = l[i].inXML()
		}
		for written, c := range map[string]struct {
			parse func(string) ([]message, error)
			want  []message
		}{encodeJSON(l): {parseJSON, l}, encodeXML(l): {parseXML, inXML}} {
			got, err := c.parse(written)
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("%q is written as %q, and that read as %q: %v", s, written, got, err)
			}
			for i := range got {
				if !maps.Equal(got[i].fields, c.want[i].fields) || !slices.Equal(got[i].props, c.want[i].props) {
					t.Errorf("%q is written as %q, and that read as %q", s, written, got)
				}
			}
		}
	})
}
