package sigv4

import (
	"strconv"
	"time"
)

// checkTime judges the time window. Both ends belong to it.
func (s *Signed) checkTime(now time.Time, rules *Rules) error {
	skew := rules.skew()
	if s.Mechanism == MechanismPresigned {
		return s.checkPresignedTime(now, skew)
	}
	if off := now.Sub(s.Time); off <= skew && off >= -skew {
		return nil
	}
	e := refuse(FailureTimeSkewed,
		Detail{"RequestTime", s.timestamp},
		Detail{"ServerTime", iso(now)},
		Detail{"MaxAllowedSkewMilliseconds", strconv.FormatInt(skew.Milliseconds(), 10)})
	minutes := strconv.FormatFloat(skew.Minutes(), 'f', -1, 64)
	if s.Time.Before(now) {
		return e.queryf("Signature expired: %s is now earlier than %s (%s - %s min.)",
			s.timestamp, stamp(now.Add(-skew)), stamp(now), minutes)
	}
	return s.notYet(e, now, skew, minutes)
}

func (s *Signed) notYet(e *Error, now time.Time, skew time.Duration, minutes string) *Error {
	return e.queryf("Signature not yet current: %s is still later than %s (%s + %s min.)",
		s.timestamp, stamp(now.Add(skew)), stamp(now), minutes)
}

func (s *Signed) checkPresignedTime(now time.Time, skew time.Duration) error {
	end := s.Time.Add(s.Expires)
	details := func() []Detail {
		return []Detail{
			{"X-Amz-Expires", strconv.FormatInt(int64(s.Expires/time.Second), 10)},
			{"Expires", iso(end)},
			{"ServerTime", iso(now)},
		}
	}
	switch {
	case now.Before(s.Time.Add(-skew)):
		minutes := strconv.FormatFloat(skew.Minutes(), 'f', -1, 64)
		return s.notYet(refuse(FailurePresignNotYet, details()...), now, skew, minutes)
	case now.After(end):
		return refuse(FailurePresignExpired, details()...).
			queryf("Signature expired: %s is now earlier than %s", stamp(end), stamp(now))
	}
	return nil
}

func iso(t time.Time) string   { return t.UTC().Format("2006-01-02T15:04:05Z") }
func stamp(t time.Time) string { return t.UTC().Format(timestampLayout) }
