// Says in JupyterLab and Notebook which kernel a notebook was opened with in place of its own.
//
// This is a module federation container, as JupyterLab loads prebuilt extensions, written by hand:
// it needs no package of JupyterLab's, so that there is nothing to build, and no version to follow.
(function () {
  'use strict';

  async function note(app, path) {
    const { baseUrl, token } = app.serviceManager.serverSettings;
    const headers = token ? { Authorization: `token ${token}` } : {};
    const address = `${baseUrl}api/kaa/opened?path=${encodeURIComponent(path)}`;
    const answer = await fetch(address, { headers, credentials: 'same-origin' });
    return answer.ok ? answer.json() : null;
  }

  async function tell(app, context) {
    await context.ready;
    const opened = await note(app, context.localPath);
    if (!opened || !app.commands.hasCommand('apputils:notify')) {
      return;
    }
    const message =
      `The kernel ${opened.wanted} is not on this machine. ` +
      `Opened with ${opened.display_name}: ${opened.reason}.`;
    const options = { autoClose: false };
    await app.commands.execute('apputils:notify', { message, type: 'info', options });
  }

  const plugin = {
    id: 'kaa:opened',
    description: 'Says which kernel a notebook was opened with in place of its own.',
    autoStart: true,
    activate: app => {
      app.docRegistry.addWidgetExtension('Notebook', {
        createNew: (_panel, context) => {
          tell(app, context).catch(error => console.warn('kaa:', error));
        }
      });
    }
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.kaa = {
    init: () => undefined,
    get: async () => () => ({ __esModule: true, default: plugin })
  };
})();
