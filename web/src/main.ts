import { mount } from 'svelte';
import './lib/theme.css';
import App from './App.svelte';
import { mendPictures } from './lib/presence.svelte';

mendPictures();
mount(App, { target: document.getElementById('app')! });
