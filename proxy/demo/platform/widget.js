// A stand-in for the captcha's widget, with the interface that its maker documents. It
// asks for one click, and has the demo vouch for it.
(() => {
  const origin = new URL(document.currentScript.src).origin;
  const traceless = /[?&]traceless=1/.test(document.currentScript.src) || __TRACELESS__;
  window.initAliyunCaptcha = (options) => {
    const { region, prefix } = window.AliyunCaptchaConfig ?? {};
    const place = document.querySelector(options.element);
    if (!region || !prefix || !options.SceneId || !place) {
      options.onError?.({ code: "F001", msg: "the widget is not set up" });
      return;
    }
    let begun = false; // a traceless attempt
    const vouch = async () => {
      place.querySelectorAll("button").forEach((button) => { button.disabled = true; }); // one click, one proof
      try {
        const answer = await fetch(`${origin}/captcha/verify`, {
          method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ sceneId: options.SceneId, prefix, region }),
        });
        const { code, data, msg } = await answer.json();
        place.replaceChildren();
        if (code === 0) options.success(data);
        else options.fail?.({ code, msg });
      } catch (error) {
        place.querySelectorAll("button").forEach((button) => { button.disabled = false; });
        options.onError?.({ code: "network", msg: String(error) });
      }
    };
    const instance = {
      show() {
        const button = document.createElement("button");
        button.id = "demo-captcha-solve";
        button.type = "button";
        button.textContent = options.language === "cn" ? "演示：我是真人" : "Demo: I am a person";
        button.addEventListener("click", vouch);
        place.replaceChildren(button);
      },
      hide() { place.replaceChildren(); },
      refresh() { instance.show(); },
      destroy() { place.replaceChildren(); },
      destroyCaptcha() { place.replaceChildren(); },
      startTracelessVerification() {
        begun = true;
        if (traceless) vouch(); else instance.show(); // too risky: the puzzle, as the real one does
      },
    };
    if (options.button) document.querySelector(options.button)?.addEventListener("click", () => instance.show());
    setTimeout(() => {
      options.getInstance?.(instance);
      if (options.mode === "embed" && !begun) instance.show();
    }, 0);
  };
})();
