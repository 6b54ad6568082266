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

// compare prints what contenders did, the CPU time for each message, and in the last
// columns how they compare to the service: more than 1 is to the service's credit.
func (b *bench) compare(title string, all []*contender, turns [][]turn) {
	fmt.Fprintf(b.out, "%s\n\n", title)
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tmessages/s\tms p50\tp99\tCPU µs server\tRedis\tgenerator\tRedis calls\tits CPU/ours\tour rate/its\tits p50/ours\tits p99/ours\t")
	for n, c := range all {
		own, service := turns[n], turns[0]
		fmt.Fprintf(w, "%s\t%.0f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", c.name,
			median(of(own, func(t turn) float64 { return t.perSecond })),
			median(of(own, func(t turn) float64 { return micros(t.median) / 1000 })),
			median(of(own, func(t turn) float64 { return micros(t.p99) / 1000 })),
			median(of(own, func(t turn) float64 { return micros(t.server) })),
			median(of(own, func(t turn) float64 { return micros(t.redis) })),
			median(of(own, func(t turn) float64 { return micros(t.generator) })),
			median(of(own, func(t turn) float64 { return t.calls })),
			ratio(own, service, func(t turn) float64 { return float64(t.all) }),
			ratio(service, own, func(t turn) float64 { return t.perSecond }),
			ratio(own, service, func(t turn) float64 { return float64(t.median) }),
			ratio(own, service, func(t turn) float64 { return float64(t.p99) }))
	}
	_ = w.Flush() // to a terminal, or a buffer
	fmt.Fprintln(b.out)
}

// ratio is the median of the rounds' ratios.
func ratio(over, under []turn, f func(turn) float64) float64 {
	l := make([]float64, 0, len(over))
	for i := range over {
		if u := f(under[i]); u > 0 {
			l = append(l, f(over[i])/u)
		}
	}
	return median(l)
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
