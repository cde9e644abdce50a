package state

import "testing"

func TestFace(t *testing.T) {
	for name, tc := range map[string]struct {
		snapshot Snapshot
		want     Face
	}{
		"stopped":                {Snapshot{Phase: Stopped}, FaceStopped},
		"starting":               {Snapshot{Phase: Starting}, FaceBusy},
		"running":                {Snapshot{Phase: Running}, FaceRunning},
		"with requests":          {Snapshot{Phase: Running, Active: 1}, FaceBusy},
		"stopping":               {Snapshot{Phase: Stopping}, FaceBusy},
		"failed":                 {Snapshot{Phase: Failed}, FaceProblem},
		"running with a problem": {Snapshot{Phase: Running, Active: 1, Problems: []Problem{{Kind: ProblemQuota}}}, FaceProblem},
		"no place for the icon":  {Snapshot{Phase: Running, Problems: []Problem{{Kind: ProblemTray}}}, FaceRunning},
	} {
		if got := tc.snapshot.Face(); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestProblem(t *testing.T) {
	s := Snapshot{Problems: []Problem{{Kind: ProblemPort, FreePort: 8081}, {Kind: ProblemTray}}}
	if p, ok := s.Problem(ProblemPort); !ok || p.FreePort != 8081 {
		t.Errorf("%v %v", p, ok)
	}
	if p, ok := s.Problem(ProblemQuota); ok {
		t.Errorf("%v", p)
	}
}
