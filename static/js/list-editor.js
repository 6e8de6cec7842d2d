// A list of short texts as one field each: data-list-editor holds <ol>, a <template> for a row and a
// button data-list-add; each row has data-list-remove. Enter adds a row, Backspace in an empty one removes it.
function changed(editor) {
  editor.dispatchEvent(new Event("change", { bubbles: true }));
  const limit = Number(editor.dataset.listLimit || Infinity);
  editor.querySelector("[data-list-add]").disabled = editor.querySelectorAll("li").length >= limit;
}

function add(editor) {
  const list = editor.querySelector("ol");
  if (list.children.length >= Number(editor.dataset.listLimit || Infinity)) return;
  list.append(editor.querySelector("template").content.cloneNode(true));
  list.lastElementChild.querySelector("input").focus();
  changed(editor);
}

function remove(row) {
  const editor = row.closest("[data-list-editor]");
  const next = row.previousElementSibling ?? row.nextElementSibling;
  row.remove();
  (next?.querySelector("input") ?? editor.querySelector("[data-list-add]")).focus();
  changed(editor);
}

document.addEventListener("click", (event) => {
  const editor = event.target.closest("[data-list-editor]");
  if (!editor) return;
  if (event.target.closest("[data-list-add]")) add(editor);
  if (event.target.closest("[data-list-remove]")) remove(event.target.closest("li"));
});
document.addEventListener("keydown", (event) => {
  const row = event.target.closest?.("[data-list-editor] li");
  if (!row || !event.target.matches("input") || event.isComposing) return;
  if (event.key === "Enter") {
    event.preventDefault();
    add(row.closest("[data-list-editor]"));
  } else if (event.key === "Backspace" && event.target.value === "") {
    event.preventDefault();
    remove(row);
  }
});
