package app

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"glmtray/app/locale"
	"glmtray/app/settings"
	"glmtray/app/state"
	"glmtray/app/vault"
)

// message names a text of the catalogues. gaps are the names and values of what stands
// in its gaps, in turn.
func message(id string, gaps ...string) locale.Message {
	m := locale.Message{ID: id}
	for i := 0; i+1 < len(gaps); i += 2 {
		if m.Data == nil {
			m.Data = map[string]string{}
		}
		m.Data[gaps[i]] = gaps[i+1]
	}
	return m
}

// settingsProblem is a config file that is wrong.
func settingsProblem(err *settings.Error) state.Problem {
	p := state.Problem{
		Kind: state.ProblemSettings, Text: message("notice.settings.text"), Remedy: message("notice.settings.remedy"),
	}
	for _, problem := range err.Problems {
		p.Details = append(p.Details, problem.String())
	}
	return p
}

// portProblem is a port that cannot be opened.
func portProblem(err error) state.Problem {
	p := state.Problem{Kind: state.ProblemPort, Remedy: message("notice.port.remedy")}
	var fault *PortError
	if !errors.As(err, &fault) {
		p.Text, p.Details = message("notice.port.other"), []string{err.Error()}
		return p
	}
	number := strconv.Itoa(fault.Port)
	switch {
	case fault.Ours != "":
		p.Text, p.Remedy = message("notice.port.ours", "Port", number, "Version", fault.Ours), message("notice.port.oursremedy")
	case fault.Holder.PID != 0:
		p.Text = message("notice.port.taken", "Port", number, "Program", fault.Holder.Name, "PID", strconv.Itoa(fault.Holder.PID))
	default:
		p.Text, p.Details = message("notice.port.text", "Port", number), []string{fault.Err.Error()}
	}
	if fault.Free != 0 {
		p.FreePort = fault.Free
		if fault.Ours == "" {
			p.Remedy = message("notice.port.free", "Port", strconv.Itoa(fault.Free))
		}
	}
	return p
}

// proxyProblem is a part of the program that ended by itself.
func proxyProblem(reason string) state.Problem {
	return state.Problem{
		Kind: state.ProblemProxy, Text: message("notice.proxy.text"), Remedy: message("notice.proxy.remedy"), Details: []string{reason},
	}
}

// saveProblem is a file or folder that cannot be written.
func saveProblem(path string, err error) state.Problem {
	return state.Problem{
		Kind: state.ProblemSave, Text: message("notice.save.text", "File", path), Remedy: message("notice.save.remedy"), Details: []string{err.Error()},
	}
}

// vaultProblem are accounts that cannot be read.
func vaultProblem(err error, file string) state.Problem {
	p := state.Problem{Kind: state.ProblemVault, Text: message("notice.vault.text", "File", file), Remedy: message("notice.vault.remedy"), Details: []string{err.Error()}}
	var unreadable *vault.UnreadableError
	switch {
	case errors.Is(err, vault.ErrLocked):
		p.Text, p.Remedy, p.Details = message("notice.vault.locked"), message("notice.vault.unlock"), nil
	case errors.Is(err, vault.ErrNewer):
		p.Text, p.Remedy, p.Details = message("notice.vault.newer", "File", file), message("notice.vault.update"), nil
	case errors.As(err, &unreadable) && unreadable.Restored:
		p.Text, p.Remedy = message("notice.vault.restored", "File", file), message("notice.vault.look")
	}
	return p
}

// logProblem is a log file that cannot be written.
func logProblem(path string, err error) state.Problem {
	return state.Problem{
		Kind: state.ProblemLog, Text: message("notice.log.text", "File", path), Remedy: message("notice.log.remedy"), Details: []string{err.Error()},
	}
}

// trayProblem is an icon that has no place.
func trayProblem(reason, remedy locale.Message) state.Problem {
	return state.Problem{Kind: state.ProblemTray, Text: reason, Remedy: remedy}
}

// report shows a problem until it is solved or dismissed. One that was not there before
// is logged, and told by a notification if the person wants that.
func (a *App) report(p state.Problem) {
	a.mu.Lock()
	old, known := a.problems[p.Kind]
	known = known && sameMessage(old.Text, p.Text)
	if p.Since = time.Now(); known {
		p.Since = old.Since
	}
	a.problems[p.Kind] = p
	printer, wanted := a.printer, notified(a.loaded.Settings.App.Notify, p.Kind)
	a.mu.Unlock()
	a.announce()
	if known {
		return
	}
	text, remedy := printer.Message(p.Text), printer.Message(p.Remedy)
	a.logProblem(p, text, remedy)
	if notify := a.options.Notify; notify != nil && wanted {
		a.spawn("notification", func() {
			if err := notify(printer.Text("notice.title"), text+" "+remedy); err != nil {
				a.log.Debug("a notification could not be shown", "reason", err.Error())
			}
		})
	}
}

// logProblem writes a problem into the log. What a provider said may repeat a piece of a
// request, so it is for the faces alone.
func (a *App) logProblem(p state.Problem, text, remedy string) {
	switch p.Kind {
	case state.ProblemLog: // would be written nowhere
	case state.ProblemLogin, state.ProblemQuota:
		a.log.Warn("problem", "kind", p.Kind, "text", text, "remedy", remedy)
	default:
		a.log.Warn("problem", "kind", p.Kind, "text", text, "remedy", remedy, "details", fmt.Sprint(p.Details))
	}
}

func sameMessage(x, y locale.Message) bool { return fmt.Sprint(x) == fmt.Sprint(y) }

// notified reports whether a person wants to be told of a kind of problem.
func notified(n settings.Notify, kind string) bool {
	switch kind {
	case state.ProblemSettings, state.ProblemPort, state.ProblemProxy, state.ProblemTray:
		return n.Failure
	case state.ProblemLogin, state.ProblemAccount, state.ProblemVault:
		return n.Login
	case state.ProblemCheck:
		return n.Check
	case state.ProblemQuota:
		return n.Quota
	}
	return false
}

// solved takes problems back.
func (a *App) solved(kinds ...string) {
	a.mu.Lock()
	n := len(a.problems)
	for _, kind := range kinds {
		delete(a.problems, kind)
	}
	changed := len(a.problems) != n
	a.mu.Unlock()
	if changed {
		a.announce()
	}
}

// Dismiss takes a problem off the faces; it comes back when it happens again.
func (a *App) Dismiss(kind string) { a.solved(kind) }

// Crashed tells of a part of the program that panicked.
func (a *App) Crashed(part string, fault any) {
	a.log.Error("a part of the program crashed", "part", part, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
	a.report(proxyProblem(fmt.Sprintf("%s: %v", part, fault)))
}

// Report tells the person of an intent that failed and is no problem that shows itself.
func (a *App) Report(err error) {
	var fixed *FixedError
	switch {
	case err == nil:
		return
	case errors.As(err, &fixed):
		a.tell(a.Printer().Text("notice.fixed", "Setting", fixed.Key, "Variable", fixed.Variable))
	default:
		a.tell(err.Error())
	}
}

// say shows a text as a notification, and logs it.
func (a *App) say(id string, gaps ...string) {
	text := a.Printer().Text(id, gaps...)
	a.log.Info(text)
	a.show(text)
}

// tell logs a sentence, and shows it as a notification.
func (a *App) tell(text string) {
	a.log.Warn(text)
	a.show(text)
}

// show shows a sentence as a notification.
func (a *App) show(text string) {
	if notify := a.options.Notify; notify != nil {
		a.spawn("notification", func() {
			if err := notify(a.Printer().Text("notice.title"), text); err != nil {
				a.log.Debug("a notification could not be shown", "reason", err.Error())
			}
		})
	}
}
