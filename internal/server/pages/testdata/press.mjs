// Presses the button of a page's form.

document.querySelector("form button").click();
