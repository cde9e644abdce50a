// The page in which the captcha's widget runs, apart from everything else. It is told
// what to show by the window around it, and tells that what the widget hands over.
//
// The widget's interface: alibabacloud.com/help/en/captcha/captcha2-0/user-guide/
// new-architecture-for-web-and-h5-client-access.

const around = document.documentElement.dataset.window;
const tell = (message) => parent.postMessage(message, around);

// The widget must have watched the page for a while before it can tell without a puzzle
// that there is a person.
const watching = 2500;

addEventListener("message", (e) => {
  if (e.origin === around && e.source === parent && e.data?.type === "widget") load(e.data);
}, { once: true });
tell({ type: "ready" });

function load({ widget, language }) {
  document.documentElement.lang = language;
  window.AliyunCaptchaConfig = { region: widget.region, prefix: widget.prefix };
  const script = document.createElement("script");
  const late = setTimeout(() => tell({ type: "trouble", reason: "load" }), widget.loadMs);
  script.addEventListener("load", () => {
    clearTimeout(late);
    show(widget, language);
  });
  script.addEventListener("error", () => {
    clearTimeout(late);
    tell({ type: "trouble", reason: "load" });
  });
  script.src = widget.script;
  document.head.append(script);
}

function show(widget, language) {
  if (typeof initAliyunCaptcha !== "function") {
    tell({ type: "trouble", reason: "load" });
    return;
  }
  tell({ type: "shown" });
  try {
    begin(widget, language);
  } catch {
    tell({ type: "trouble", reason: "failed" });
  }
}

function begin(widget, language) {
  let instance;
  initAliyunCaptcha({
    SceneId: widget.sceneId, mode: "popup", element: "#captcha", button: "#captcha-button", language: language.startsWith("zh") ? "cn" : "en",
    slideStyle: { width: Math.min(360, innerWidth - 24), height: 40 },
    success: (proof) => tell({ type: "proof", proof }),
    fail: () => tell({ type: "trouble", reason: "failed" }),
    onError: () => tell({ type: "trouble", reason: "failed" }),
    getInstance: (made) => {
      if (instance) return;
      instance = made;
      setTimeout(() => {
        try {
          if (instance.startTracelessVerification) instance.startTracelessVerification();
          else instance.show();
        } catch {
          instance.show();
        }
      }, watching);
    },
  });
}
