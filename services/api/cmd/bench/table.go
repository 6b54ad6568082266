package main

import (
	"fmt"
	"slices"
	"text/tabwriter"
	"time"
)

// table prints a job's medians over the rounds, and the ratios to the service:
// each round's own, of which it shows the median and the range.
func (b *bench) table(title string, turns [][]turn) {
	fmt.Fprintf(b.out, "%s\n\n", title)
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tmessages/s\tmedian µs\tCPU µs a message: server\tRedis\ttime, ratio\t\tCPU, ratio\t\t")
	for n, c := range b.contenders {
		own, service := turns[n], turns[0]
		rate := of(own, func(t turn) float64 { return t.perSecond })
		took := of(own, func(t turn) float64 { return micros(t.median) })
		server := of(own, func(t turn) float64 { return micros(t.server) })
		redis := of(own, func(t turn) float64 { return micros(t.redis) })
		timeRatio := ratios(own, service, func(t turn) float64 { return float64(t.median) })
		cpuRatio := ratios(own, service, func(t turn) float64 { return float64(t.all) })
		// CPU time comes in ticks of 10 ms: a mean over the rounds says more than a median.
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.0f\t%.0f\t%s\t%s\t\n",
			c.name, median(rate), median(took), mean(server), mean(redis), timeRatio, cpuRatio)
	}
	_ = w.Flush() // to a terminal, or a buffer
	fmt.Fprintln(b.out)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func of(turns []turn, f func(turn) float64) []float64 {
	l := make([]float64, len(turns))
	for i, t := range turns {
		l[i] = f(t)
	}
	return l
}

func mean(l []float64) float64 {
	sum := 0.0
	for _, v := range l {
		sum += v
	}
	return sum / float64(max(1, len(l)))
}

func ratios(own, service []turn, f func(turn) float64) string {
	l := make([]float64, 0, len(own))
	for i := range own {
		if s := f(service[i]); s > 0 {
			l = append(l, f(own[i])/s)
		}
	}
	if len(l) == 0 {
		return "–\t"
	}
	return fmt.Sprintf("%.2f\t(%.2f–%.2f)", median(l), slices.Min(l), slices.Max(l))
}
